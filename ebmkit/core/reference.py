r"""The Gaussian that a descriptor tilts, $E(x) = \|x\|^2 / 2 s^2 - f(x)$, read off an energy."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.errors import PluginError

__all__ = ["reference_std", "std_of_coordinates", "unstable_step"]


def reference_std(energy: object) -> float | Tensor | None:
    """The s of an energy with a Gaussian reference, its attribute of that name; None where not finite.

    It is a number, or a tensor, a learned one too: of one number, of each channel ``(C,)``, or of any shape
    that an example ``(*S)`` broadcasts with.

    Returns:
        a number, also where a tensor holds one alone; else the tensor, float64 on the CPU.
    """
    entries = _entries(energy)
    if entries is None or not entries.isfinite().all():
        return None
    return float(entries) if entries.numel() == 1 else entries


def std_of_coordinates(std: float | Tensor, like: Tensor) -> Tensor:
    """The s of each coordinate of an example, ``(*S)`` float64 on the device of ``like``.

    Args:
        std: as ``reference_std`` gives it; ``(C,)`` where S begins with C is taken for channels.
        like: one example, ``(*S)``.

    Raises:
        PluginError: the shapes do not fit.
    """
    s = torch.as_tensor(std, dtype=torch.float64, device=like.device)
    if s.ndim == 1 and like.ndim > 1 and len(s) == len(like):
        s = s.reshape(-1, *(1 for _ in like.shape[1:]))
    try:
        return s.expand(like.shape)
    except RuntimeError:
        raise PluginError(
            f"the energy's reference_std has the shape {tuple(s.shape)}, which examples of shape "
            f"{tuple(like.shape)} do not broadcast with"
        ) from None


def unstable_step(step_size: float, energy: object) -> str | None:
    r"""A clause where a step of Langevin dynamics or of leapfrog is not stable on the reference: δ ≥ 2s.

    $x \leftarrow (1 - \delta^2 / 2 s^2)\, x$ grows in absolute value, whatever f is near 0. It is the caution
    of samplers of that kind (Roberts and Tweedie, 1996). Where coordinates have references of their own, the
    narrowest decides.

    Args:
        step_size: δ or h, in the units of x.
        energy: whose reference is asked for.
    """
    entries = _entries(energy)
    if entries is None or step_size < 2 * (std := float(entries.min())):
        return None
    narrowest = "" if entries.numel() == 1 else "the narrowest "
    return (
        f"step_size = {step_size:g} is not below 2 s = {2 * std:g}: on the Gaussian reference of the energy "
        f"({narrowest}reference_std = {std:g}) each step overshoots, and chains run away"
    )


def _entries(energy: object) -> Tensor | None:
    """What ``reference_std`` holds, float64 on the CPU, infinities included; None where it is no spread."""
    std = getattr(energy, "reference_std", None)
    if not isinstance(std, int | float | Tensor) or (isinstance(std, Tensor) and std.is_complex()):
        return None
    entries = torch.as_tensor(std, dtype=torch.float64, device="cpu").detach()
    return entries if entries.numel() and bool((entries > 0).all()) else None
