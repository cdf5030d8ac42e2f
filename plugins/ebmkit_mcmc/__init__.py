"""Samplers beside the paper's, as a plugin of ebmkit; each is one file.

Metropolis-adjusted: ``ebmkit_mcmc.mala``, ``ebmkit_mcmc.hmc``, ``ebmkit_mcmc.preconditioned`` and
``ebmkit_mcmc.tempering`` (parallel tempering). Unadjusted: ``ebmkit_mcmc.underdamped``,
``ebmkit_mcmc.annealed``. Without noise: ``ebmkit_mcmc.descent``. They share ``ebmkit_mcmc.metropolis`` and
``ebmkit_mcmc.adaptation``. Their classes can be imported from here;
nothing is until then, so that finding plugins stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebmkit.plugin import lazily

if TYPE_CHECKING:
    from ebmkit_mcmc.annealed import Annealed
    from ebmkit_mcmc.descent import Descent
    from ebmkit_mcmc.hmc import HMC
    from ebmkit_mcmc.mala import MALA
    from ebmkit_mcmc.preconditioned import Preconditioned
    from ebmkit_mcmc.tempering import ParallelTempering
    from ebmkit_mcmc.underdamped import Underdamped

__all__ = ["HMC", "MALA", "Annealed", "Descent", "ParallelTempering", "Preconditioned", "Underdamped"]

__getattr__ = lazily(
    __name__,
    {
        "Annealed": "ebmkit_mcmc.annealed",
        "Descent": "ebmkit_mcmc.descent",
        "HMC": "ebmkit_mcmc.hmc",
        "MALA": "ebmkit_mcmc.mala",
        "ParallelTempering": "ebmkit_mcmc.tempering",
        "Preconditioned": "ebmkit_mcmc.preconditioned",
        "Underdamped": "ebmkit_mcmc.underdamped",
    },
)
