"""What trained models are used for: recovering, completing and interpolating images."""
