"""Langevin dynamics for any energy, as a plugin of ebmkit: ``ebmkit_langevin.langevin``.

Their classes can be imported from here; nothing is until then, so that finding plugins stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebmkit.plugin import lazily

if TYPE_CHECKING:
    from ebmkit_langevin.langevin import Langevin

__all__ = ["Langevin"]

__getattr__ = lazily(
    __name__,
    {
        "Langevin": "ebmkit_langevin.langevin",
    },
)
