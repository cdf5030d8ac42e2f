r"""Annealed importance sampling: the normalising constant of an energy, from both sides.

Chains go from a Gaussian, whose constant is known, to the energy along $E_\beta = (1 - \beta) E_0 + \beta E$,
and back. What they gather on the way up gives a lower bound of $\log Z$ in expectation, on the way down from
exact samples an upper bound. ``path`` has the Gaussian and the energies between, ``ladder`` the temperatures
and step sizes, ``estimate`` the two ways and what they say.

Source: Neal, "Annealed importance sampling", 2001, arXiv physics/9803008; Grosse, Ghahramani, Adams,
"Sandwiching the marginal likelihood using bidirectional Monte Carlo", 2015, arXiv 1511.02543.
"""

from ebmkit.core.ais.estimate import Annealed, Estimate, anneal_down, anneal_up, resampled
from ebmkit.core.ais.ladder import Ladder, find_ladder
from ebmkit.core.ais.path import Bridge, Reference

__all__ = [
    "Annealed",
    "Bridge",
    "Estimate",
    "Ladder",
    "Reference",
    "anneal_down",
    "anneal_up",
    "find_ladder",
    "resampled",
]
