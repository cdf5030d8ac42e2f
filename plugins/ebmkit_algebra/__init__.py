"""Energies composed of others, as a plugin of ebmkit: sums, mixtures, tempering, energies of other runs.

``ebmkit_algebra.from_run`` takes an energy from another run, ``ebmkit_algebra.sampling`` is the schedule
that draws and learns nothing. The composing energies themselves are in ``ebmkit.core``.

Their classes can be imported from here; nothing is until then, so that finding plugins stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebmkit.plugin import lazily

if TYPE_CHECKING:
    from ebmkit_algebra.from_run import FromRun
    from ebmkit_algebra.sampling import Sampling

__all__ = ["FromRun", "Sampling"]

__getattr__ = lazily(
    __name__,
    {
        "FromRun": "ebmkit_algebra.from_run",
        "Sampling": "ebmkit_algebra.sampling",
    },
)
