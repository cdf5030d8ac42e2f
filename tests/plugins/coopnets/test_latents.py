from __future__ import annotations

import math

import torch

from ebmkit.core import Rng
from ebmkit_coopnets.latents import ImageLatents
from tests.models import double


def test_the_first_iteration_draws_all_latents_and_no_later_one_does() -> None:
    latents = ImageLatents(3000, (2, 3))
    assert not latents.values.any()
    first = latents.of(torch.tensor([4, 1]), rng=Rng(1))
    values = latents.values.clone()
    # 5 standard errors of a mean and of a standard deviation.
    assert abs(values.mean()) < 5 / math.sqrt(values.numel())
    assert abs(values.std() - 1) < 5 / math.sqrt(2 * values.numel())
    assert torch.equal(first, values[[4, 1]])
    assert torch.equal(latents.of(torch.tensor([1]), rng=Rng(2)), values[[1]])
    assert torch.equal(latents.values, values)


def test_latents_are_the_same_whichever_rows_a_process_has() -> None:
    sets = [ImageLatents(6, (2,)) for _ in range(2)]
    for latents, first_chain in zip(sets, (0, 3), strict=True):
        latents.of(torch.arange(3), rng=Rng(1, first_chain=first_chain))
    assert torch.equal(sets[0].values, sets[1].values)


def test_what_is_kept_is_found_again_and_the_others_stay() -> None:
    latents, positions = ImageLatents(6, (2,)).double(), torch.tensor([5, 2])
    before = latents.of(torch.arange(6), rng=Rng(0))
    z = double(2, 2)
    latents.keep(positions, z)
    assert torch.equal(latents.of(positions, rng=Rng(0)), z)
    others = [0, 1, 3, 4]
    assert torch.equal(latents.values[others], before[others])


def test_a_state_that_is_loaded_goes_on_and_draws_nothing() -> None:
    latents, again = ImageLatents(6, (2,)), ImageLatents(6, (2,))
    latents.of(torch.arange(6), rng=Rng(1))
    again.load_state_dict(latents.state_dict())
    assert torch.equal(again.of(torch.arange(6), rng=Rng(2)), latents.values)
