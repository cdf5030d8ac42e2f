"""How good samples are, as plugins of ebmkit: features and metrics that need no network connection."""
