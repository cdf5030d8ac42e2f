r"""The Gaussian that a descriptor tilts, $E(x) = \|x\|^2 / 2 s^2 - f(x)$, read off an energy."""

from __future__ import annotations

import math

__all__ = ["reference_std", "unstable_step"]


def reference_std(energy: object) -> float | None:
    """The s of an energy with a Gaussian reference, its attribute of that name; None where not finite."""
    std = getattr(energy, "reference_std", None)
    return float(std) if isinstance(std, int | float) and 0 < std < math.inf else None


def unstable_step(step_size: float, energy: object) -> str | None:
    r"""A clause where a step of Langevin dynamics or of leapfrog is not stable on the reference: δ ≥ 2s.

    $x \leftarrow (1 - \delta^2 / 2 s^2)\, x$ grows in absolute value, whatever f is near 0. It is the caution
    of samplers of that kind (Roberts and Tweedie, 1996).

    Args:
        step_size: δ or h, in the units of x.
        energy: whose reference is asked for.
    """
    std = reference_std(energy)
    if std is None or step_size < 2 * std:
        return None
    return (
        f"step_size = {step_size:g} is not below 2 s = {2 * std:g}: on the Gaussian reference of the energy "
        f"(reference_std = {std:g}) each step overshoots, and chains run away"
    )
