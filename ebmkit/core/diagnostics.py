"""What an iteration did, in the figures people judge cooperative training by."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.core.energy import EnergyFn
from ebmkit.core.generator import LatentGenerator
from ebmkit.core.scheduler import Examples

__all__ = ["examine", "reconstruct"]


def reconstruct(generator: LatentGenerator, examples: Examples) -> Tensor | None:
    """g(z) with the generator as it is now, ``(m, *S)``; None without latents."""
    if examples.latents is None:
        return None
    with torch.no_grad():
        reconstructed: Tensor = generator(examples.latents)
    return reconstructed


def _root_mean_square(x: Tensor) -> Tensor:
    return x.square().mean().sqrt()


def _energies(energy: EnergyFn, sets: dict[str, Tensor | None]) -> dict[str, Tensor]:
    """The mean energy of each set, nats, and the gap E(observed) - E(revised)."""
    with torch.no_grad():
        means = {f"energy_{name}": energy(x).mean() for name, x in sets.items() if x is not None}
    if "energy_observed" in means and "energy_revised" in means:
        means["energy_gap"] = means["energy_observed"] - means["energy_revised"]
    return means


def examine(
    examples: Examples, *, energy: EnergyFn | None = None, reconstructed: Tensor | None = None
) -> dict[str, Tensor]:
    r"""Figures of one iteration, each 0-dim and on the device; those whose sets are missing are left out.

    - ``energy_observed``, ``energy_proposal``, ``energy_revised``, ``energy_reconstructed``: means, nats,
      all under the energy as it is after the iteration; ``energy_gap`` = observed - revised.
    - ``chain_displacement``: root mean square of revised - proposal a pixel, in the units of x.
    - ``reconstruction_error``: root mean square of reconstructed - target a pixel; the target is the
      revised set, or the observed one where nothing is revised.
    - ``catch_up``: $\|g_{new}(z) - \tilde{x}\| / \|\hat{x} - \tilde{x}\|$. Below 1 the generator has
      absorbed part of the revision; 0 would be all of it.

    Args:
        examples: the sets of the iteration.
        energy: the descriptor, if there is one.
        reconstructed: g(z) after the generator's update, if there is a generator.
    """
    sets = {
        "observed": examples.observed,
        "proposal": examples.proposal,
        "revised": examples.revised,
        "reconstructed": reconstructed,
    }
    figures = _energies(energy, sets) if energy is not None else {}
    if examples.proposal is not None and examples.revised is not None:
        figures["chain_displacement"] = _root_mean_square(examples.revised - examples.proposal)
    target = examples.revised if examples.revised is not None else examples.observed
    if reconstructed is not None and target is not None:
        figures["reconstruction_error"] = _root_mean_square(reconstructed - target)
        if "chain_displacement" in figures:
            figures["catch_up"] = figures["reconstruction_error"] / figures["chain_displacement"]
    return figures
