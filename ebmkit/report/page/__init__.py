"""A run as one HTML page: what ran, its curves, its samples, its figures. No script, no request."""
