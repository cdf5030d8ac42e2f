"""Ranges of parameters, signatures of classes: what a part takes, read with or without importing it."""
