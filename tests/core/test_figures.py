from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.core import Examples, examine, mean_energies, reconstruct
from tests.models import LinearDescriptor, LinearGenerator, double


def test_the_figures_are_what_they_say() -> None:
    energy = LinearDescriptor(double(4), 0.5)
    generator = LinearGenerator(double(4, 2, seed=1), double(4, seed=2), 0.3)
    observed, proposal, revised = (double(5, 4, seed=seed) for seed in (3, 4, 5))
    examples = Examples(observed, proposal, revised, double(5, 2, seed=6))
    reconstructed = reconstruct(generator, examples)
    assert reconstructed is not None
    figures = examine(examples, energy=energy, reconstructed=reconstructed)
    assert torch.allclose(figures["energy_gap"], energy(observed).mean() - energy(revised).mean())
    assert torch.allclose(figures["energy_reconstructed"], energy(generator(examples.latents)).mean())
    ratio = (reconstructed - revised).norm() / (proposal - revised).norm()
    assert torch.allclose(figures["catch_up"], ratio)
    assert torch.allclose(figures["chain_displacement"], (proposal - revised).norm() / 20**0.5)


def test_what_was_not_made_is_left_out() -> None:
    figures = examine(Examples(observed=double(3, 4)))
    assert figures == {}
    alone = examine(Examples(observed=double(3, 4)), reconstructed=double(3, 4, seed=1))
    assert alone.keys() == {"reconstruction_error"}


def test_what_is_known_is_not_evaluated_again() -> None:
    seen: list[Tensor] = []

    def energy(x: Tensor) -> Tensor:
        seen.append(x)
        return x.sum(1)

    examples = Examples(observed=double(3, 4), proposal=double(3, 4, seed=1), revised=double(3, 4, seed=2))
    known = mean_energies(observed=torch.tensor([1.0, 3.0]), revised=torch.tensor([5.0]))
    figures = examine(examples, energy=energy, known=known)
    assert [x is examples.proposal for x in seen] == [True]
    assert "energy_observed" not in figures
    assert known["energy_gap"] == -3
