"""Searching over settings: many runs of one run file, each with other values of a few keys."""
