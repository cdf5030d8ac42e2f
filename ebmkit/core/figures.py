"""What an iteration did, in the figures people judge cooperative training by."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from ebmkit.core.conditional import given
from ebmkit.core.energy import EnergyFn
from ebmkit.core.generator import LatentGenerator
from ebmkit.core.rows import as_rows
from ebmkit.core.scheduler import Examples

__all__ = ["examine", "mean_energies", "reconstruct", "roughness", "saturation", "texture_signs"]

_IMAGES = 4  # dimensions of a batch of images
_NEIGHBOURHOOD = 3
_NEAR = 0.98
_SMOOTH = 0.03  # smoother data than photographs are no reason to call Langevin noise salt and pepper
_LEAST = 0.01  # data of nothing but black and white leave no room to stick


def reconstruct(generator: LatentGenerator, examples: Examples) -> Tensor | None:
    """g(z) with the generator as it is now, ``(m, *S)``; None without latents."""
    if examples.latents is None:
        return None
    with torch.no_grad():
        reconstructed: Tensor = given(generator, examples.condition)(examples.latents)
    return reconstructed


def _root_mean_square(x: Tensor) -> Tensor:
    return x.square().mean().sqrt()


def roughness(x: Tensor) -> Tensor | None:
    r"""How much each image's pixels differ from their neighbours: ``(B, C, H, W) -> (B,)``, units of x.

    The root mean square of $x_{ij} - \frac14 (x_{i-1,j} + x_{i+1,j} + x_{i,j-1} + x_{i,j+1})$ over the
    inner pixels. White noise of standard deviation $\tau$ has $\tau \sqrt{5/4}$, salt and pepper of
    $\pm 1$ 1.12, a photograph 0.03 to 0.15. None where the examples are no images of 3x3 pixels or more.

    Examples:
        >>> import torch
        >>> board = torch.ones(1, 1, 4, 4)
        >>> board[..., ::2, ::2] = board[..., 1::2, 1::2] = -1
        >>> roughness(board), roughness(torch.ones(1, 1, 4, 4))
        (tensor([2.]), tensor([0.]))
    """
    if x.ndim != _IMAGES or min(x.shape[-2:]) < _NEIGHBOURHOOD:
        return None
    inner = x[..., 1:-1, 1:-1]
    around = x[..., :-2, 1:-1] + x[..., 2:, 1:-1] + x[..., 1:-1, :-2] + x[..., 1:-1, 2:]
    return as_rows(inner - around / 4).square().mean(1).sqrt()


def saturation(revised: Tensor, observed: Tensor) -> Tensor:
    r"""The share of revised coordinates at the ends of the data's range, beyond the data's own share; 0-dim.

    With b the largest $|x|$ of the data and s(x) the share of $|x_i| \ge 0.98 b$ it is
    $(s(\tilde x) - s(x)) / (1 - s(x))$: 0 for samples like the data, 1 where every one sticks; black
    and white drawings do not count as saturated. Below 0 where the data stick more.
    """
    bound = _NEAR * observed.abs().amax()
    stuck, usual = ((x.abs() >= bound).float().mean() for x in (revised, observed))
    return (stuck - usual) / (1 - usual).clamp_min(_LEAST)


def texture_signs(revised: Tensor, observed: Tensor) -> dict[str, Tensor]:
    """``saturation`` and, of images, ``roughness``: the revised samples' over the data's (medians); 0-dim."""
    figures = {"saturation": saturation(revised, observed)}
    rough, usual = roughness(revised), roughness(observed)
    if rough is not None and usual is not None:
        figures["roughness"] = rough.median() / usual.median().clamp_min(_SMOOTH)
    return figures


def mean_energies(**sets: Tensor | None) -> dict[str, Tensor]:
    """Energies as figures: ``energy_NAME``, the mean of each set, and ``energy_gap`` = observed - revised.

    Schedules give what their losses were made of, so that it is not evaluated again.

    Args:
        sets: energies by the name of the set, ``(B,)`` or their mean, nats; None where there are none.

    Examples:
        >>> import torch
        >>> mean_energies(observed=torch.tensor([1.0, 3.0]), revised=torch.tensor([5.0]))["energy_gap"]
        tensor(-3.)
    """
    means = {f"energy_{name}": each.detach().mean() for name, each in sets.items() if each is not None}
    if "energy_observed" in means and "energy_revised" in means:
        means["energy_gap"] = means["energy_observed"] - means["energy_revised"]
    return means


def _energies(
    energy: EnergyFn, sets: Mapping[str, Tensor | None], known: Mapping[str, Tensor], condition: Tensor | None
) -> dict[str, Tensor]:
    """Those of the sets whose energies were not given; all but the observed one have this condition."""
    asked = {name: x for name, x in sets.items() if x is not None and f"energy_{name}" not in known}
    with torch.no_grad():
        return mean_energies(
            **{name: given(energy, None if name == "observed" else condition)(x) for name, x in asked.items()}
        )


def examine(
    examples: Examples,
    *,
    energy: EnergyFn | None = None,
    reconstructed: Tensor | None = None,
    known: Mapping[str, Tensor] = MappingProxyType({}),
) -> dict[str, Tensor]:
    r"""Figures of one iteration, each 0-dim and on the device; those whose sets are missing are left out.

    - ``energy_observed``, ``energy_proposal``, ``energy_revised``, ``energy_reconstructed``: means, nats;
      ``energy_gap`` = observed - revised. The schedules of ebmkit give the first three and the gap
      themselves, under the energy that the chain walked under and the loss was taken of; what a schedule
      does not give is evaluated under the energy as it is now.
    - ``chain_displacement``: root mean square of revised - proposal per coordinate, in the units of x.
    - ``roughness``: the median ``roughness`` of the revised images over that of the observed ones; salt
      and pepper raise it. ``saturation``: see there.
    - ``reconstruction_error``: root mean square of reconstructed - target per coordinate; the target is the
      revised set, or the observed one where nothing is revised.
    - ``catch_up``: $\|g_{new}(z) - \tilde{x}\| / \|\hat{x} - \tilde{x}\|$. Below 1 the generator has
      absorbed part of the revision; 0 would be all of it.

    Args:
        examples: the sets of the iteration.
        energy: the descriptor, if there is one.
        reconstructed: g(z) after the generator's update, if there is a generator.
        known: figures that the iteration has given already; their energies are not evaluated again.
    """
    sets = {
        "observed": examples.observed,
        "proposal": examples.proposal,
        "revised": examples.revised,
        "reconstructed": reconstructed,
    }
    figures = _energies(energy, sets, known, examples.condition) if energy is not None else {}
    if examples.proposal is not None and examples.revised is not None:
        figures["chain_displacement"] = _root_mean_square(examples.revised - examples.proposal)
    if examples.observed is not None and examples.revised is not None:
        figures |= texture_signs(examples.revised, examples.observed)
    target = examples.revised if examples.revised is not None else examples.observed
    if reconstructed is not None and target is not None:
        figures["reconstruction_error"] = _root_mean_square(reconstructed - target)
        if "chain_displacement" in figures:
            figures["catch_up"] = figures["reconstruction_error"] / figures["chain_displacement"]
    return figures
