"""Linear maps: convolutions and their transposes, each computed the fastest way known."""
