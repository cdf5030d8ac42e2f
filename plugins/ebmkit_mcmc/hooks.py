"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import Sampler


@hookimpl
def ebmkit_samplers() -> Mapping[str, type[Sampler]]:
    """The Metropolis-adjusted ones, those with inertia or temperatures, and descent."""
    from ebmkit_mcmc.annealed import Annealed
    from ebmkit_mcmc.descent import Descent
    from ebmkit_mcmc.hmc import HMC
    from ebmkit_mcmc.mala import MALA
    from ebmkit_mcmc.preconditioned import Preconditioned
    from ebmkit_mcmc.tempering import ParallelTempering
    from ebmkit_mcmc.underdamped import Underdamped

    return {
        "annealed": Annealed,
        "descent": Descent,
        "hmc": HMC,
        "mala": MALA,
        "parallel-tempering": ParallelTempering,
        "preconditioned": Preconditioned,
        "underdamped": Underdamped,
    }
