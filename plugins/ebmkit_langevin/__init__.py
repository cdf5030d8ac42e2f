"""Langevin dynamics for any energy, as a plugin of ebmkit: ``ebmkit_langevin.langevin``."""
