"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import Sampler


@hookimpl
def ebmkit_samplers() -> Mapping[str, type[Sampler] | str]:
    """The Metropolis-adjusted ones, those with inertia or temperatures, and descent."""
    return {
        "annealed": "ebmkit_mcmc.annealed:Annealed",
        "descent": "ebmkit_mcmc.descent:Descent",
        "hmc": "ebmkit_mcmc.hmc:HMC",
        "mala": "ebmkit_mcmc.mala:MALA",
        "parallel-tempering": "ebmkit_mcmc.tempering:ParallelTempering",
        "preconditioned": "ebmkit_mcmc.preconditioned:Preconditioned",
        "underdamped": "ebmkit_mcmc.underdamped:Underdamped",
    }
