from __future__ import annotations

import pytest
import torch

from ebmkit.core import Rng, reconstruction_loss
from ebmkit_coopnets.bank import Bank
from ebmkit_coopnets.coopnets import CoopNets
from tests.plugins.coopnets.linear import SIGMA, batch, one_iteration, parts, revision


def coopnets(bank: int, **options: int) -> CoopNets:
    return CoopNets(*parts(), revision(), None, (4,), chains=3, bank=bank, **options).double()


def test_a_bank_as_large_as_an_iteration_gives_the_pairs_of_the_last_one() -> None:
    schedule = coopnets(3)
    _, first = one_iteration(schedule, batch(), key=1)
    updates, second = one_iteration(schedule, batch(), key=2)
    assert first.latents is not None
    assert first.revised is not None
    fitted = reconstruction_loss(first.revised, schedule.generator(first.latents), noise_std=SIGMA)
    assert torch.equal(updates[-1].loss, fitted)  # type: ignore[arg-type]
    assert torch.equal(schedule.bank.samples.samples, second.revised)  # type: ignore[arg-type, union-attr]


def test_an_empty_bank_gives_the_new_pairs_themselves() -> None:
    gradients = []
    for bank in (0, 50):
        schedule = coopnets(bank, generator_updates=2)
        one_iteration(schedule, batch(), key=1)
        gradients.append(schedule.generator.matrix.grad)
    assert torch.equal(*gradients)


def test_latents_and_samples_of_a_slot_belong_together() -> None:
    """Whatever is exchanged, and however often, the sample is the latent three times."""
    bank = Bank(10, (2,), (3, 2))
    met = []
    for iteration in range(30):
        rng = Rng(0).fold_in(iteration)
        z = rng.fold_in("z").normal(torch.empty(4, 2))
        old_z, old_x = bank.exchange(4, z, z[:, None].expand(-1, 3, 2), rng=rng)
        assert torch.equal(old_x, old_z[:, None].expand(-1, 3, 2))
        met.append(old_z)
    assert torch.equal(bank.samples.samples, bank.latents.samples[:, None].expand(-1, 3, 2))
    assert bool(bank.samples.started.all())
    # A pair comes back once, from the slot that the next one takes: none twice but the first in its slot.
    returned = torch.cat(met)
    assert 120 - len(returned.unique(dim=0)) == 10


def test_pairs_are_some_iterations_old() -> None:
    """Each of N / m iterations takes a slot with probability m / N: N / m iterations on average."""
    bank, count, slots = Bank(50, (1,), (1,)), 10, 50
    ages = []
    for iteration in range(600):
        now = torch.full((count, 1), float(iteration))
        z, _ = bank.exchange(count, now, now, rng=Rng(0).fold_in(iteration))
        ages.append(iteration - z)
    settled = torch.cat(ages[100:])
    expected = slots / count
    # Geometric: variance (1 - p) / p^2 = 20; 5,000 pairs, those of an iteration nearly independent.
    assert abs(settled.mean() - expected) < 5 * (20 / len(settled)) ** 0.5
    assert settled.min() == 1


def test_banks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^a bank of 2 pairs is too small for 3 chains: each takes a slot$"):
        coopnets(2)
    with pytest.raises(ValueError, match=r"^bank = 9 needs the shape of the examples$"):
        CoopNets(*parts(), revision(), bank=9)
