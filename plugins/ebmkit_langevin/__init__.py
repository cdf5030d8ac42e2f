"""Langevin dynamics for any energy, as a plugin of ebmkit: :mod:`ebmkit_langevin.langevin`."""
