"""Single layers of whatever network, with gradients of their own, for updates."""
