"""Langevin dynamics for any energy, as a plugin of ebmkit."""

from ebmkit_langevin.langevin import Langevin

__all__ = ["Langevin"]
