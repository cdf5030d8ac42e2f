from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
import torch
from torch import Tensor

from ebmkit.core import Rng

NUMBERS = 1_000_000


def test_the_same_key_gives_the_same_bits_and_another_gives_others() -> None:
    like = torch.empty(8, 5)
    assert torch.equal(Rng(3).normal(like), Rng(3).normal(like))
    assert not torch.equal(Rng(3).normal(like), Rng(4).normal(like))
    assert not torch.equal(Rng(3).fold_in("a").normal(like), Rng(3).fold_in("b").normal(like))
    assert not torch.equal(Rng(3).fold_in(1, 2).normal(like), Rng(3).fold_in(2, 1).normal(like))


def test_a_stream_goes_on_and_starts_again_with_its_key() -> None:
    rng, like = Rng(3), torch.empty(8, 5)
    first, second = rng.normal(like), rng.normal(like)
    assert not torch.equal(first, second)
    again = Rng(3)
    assert torch.equal(again.normal(like), first)
    assert torch.equal(again.normal(like), second)


def test_folding_leaves_the_parent_as_it_was() -> None:
    rng = Rng(3)
    rng.normal(torch.empty(2, 2))
    assert rng.fold_in("a").key == Rng(3).fold_in("a").key


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 7), (3, 64, 64), (4097,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sixty_four_chains_are_two_times_thirty_two(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    whole = Rng(9).normal(torch.empty(64, *shape, dtype=dtype))
    half = torch.empty(32, *shape, dtype=dtype)
    parts = [Rng(9, first_chain=0).normal(half), Rng(9, first_chain=32).normal(half)]
    assert torch.equal(whole, torch.cat(parts))
    uniform = [Rng(9, first_chain=0).uniform(half), Rng(9, first_chain=32).uniform(half)]
    assert torch.equal(Rng(9).uniform(torch.empty(64, *shape, dtype=dtype)), torch.cat(uniform))


def test_the_bits_do_not_depend_on_the_number_of_threads() -> None:
    like = torch.empty(64, 3, 64, 64)
    before = torch.get_num_threads()
    draws = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        draws.append(Rng(1).normal(like))
    torch.set_num_threads(before)
    assert torch.equal(draws[0], draws[1])
    assert torch.equal(draws[0], draws[2])


def test_torchs_own_generator_is_neither_read_nor_moved() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    a = Rng(5).normal(torch.empty(10, 10))
    Rng(5).uniform(torch.empty(10))
    Rng(5).permutation(10)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(Rng(5).normal(torch.empty(10, 10)), a)


def test_the_numbers_are_the_same_wherever_torch_makes_new_tensors() -> None:
    like, large = torch.empty(2, 3), torch.empty(3, 2**18)
    expected = [[each.normal(like) for each in Rng(5).steps("step", 70)], [Rng(5).uniform(large)]]
    with torch.device("meta"):
        found = [[each.normal(like) for each in Rng(5).steps("step", 70)], [Rng(5).uniform(large)]]
    assert all(map(torch.equal, found[0] + found[1], expected[0] + expected[1]))


# Thresholds below are 5 standard errors of the statistic: each false alarm 6e-7.
@pytest.mark.parametrize("shape", [(1, NUMBERS), (NUMBERS, 1), (1000, 1000)])
def test_normal_numbers_have_the_moments_of_the_normal(shape: tuple[int, int]) -> None:
    x = Rng(11).normal(torch.empty(shape, dtype=torch.float64)).flatten()
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(x.pow(power).mean() - moment) < 5 * math.sqrt(variance / NUMBERS)


def test_normal_numbers_have_the_distribution_of_the_normal() -> None:
    x = Rng(12).normal(torch.empty(1000, 1000)).flatten().double().sort().values
    steps = torch.arange(1, NUMBERS + 1) / NUMBERS
    distance = (torch.special.ndtr(x) - steps).abs().max() * math.sqrt(NUMBERS)
    assert distance < 2.7  # Kolmogorov: 2 exp(-2 d^2) = 1e-6


def test_the_tails_are_there_and_finite() -> None:
    x = Rng(13).normal(torch.empty(4, NUMBERS))
    assert torch.isfinite(x).all()
    # 2 (1 - Phi(4.5)) = 6.8e-6 of 4e6 numbers: 27 expected; Poisson below 5 or above 65: 1e-7.
    assert 5 < (x.abs() > 4.5).sum() < 65


def test_uniform_numbers_fill_the_interval() -> None:
    x = Rng(14).uniform(torch.empty(1000, 1000, dtype=torch.float64)).flatten()
    assert 0 < x.min() < 1e-4
    assert 1 - 1e-4 < x.max() < 1
    assert abs(x.mean() - 0.5) < 5 / math.sqrt(12 * NUMBERS)
    counts = torch.histc(x, 100, 0, 1)
    expected = NUMBERS / 100
    chi_square = ((counts - expected).square() / expected).sum()
    assert abs(chi_square - 99) < 5 * math.sqrt(2 * 99)


@pytest.mark.parametrize("pair", ["chains", "draws", "labels", "seeds", "neighbours", "halves"])
def test_streams_are_not_correlated(pair: str) -> None:
    size = 100_000
    one = torch.empty(1, size, dtype=torch.float64)
    rng = Rng(20)
    x = rng.normal(one)
    others = {
        "chains": Rng(20, first_chain=1).normal(one),
        "draws": rng.normal(one),
        "labels": Rng(20).fold_in("x").normal(one),
        "seeds": Rng(21).normal(one),
        "neighbours": x.roll(1),
        "halves": x.roll(size // 2),  # where the two numbers of one Box-Muller pair stand
    }
    y = others[pair]
    for a, b in ((x, y), (x.square() - 1, y.square() - 1)):
        scale = (a.square().mean() * b.square().mean()).sqrt()
        assert abs((a * b).mean()) < 5.5 * scale / math.sqrt(size)


def test_a_permutation_holds_every_number_once() -> None:
    order = Rng(1).permutation(1000)
    assert torch.equal(order.sort().values, torch.arange(1000))
    # The place of 0 is uniform: 2000 permutations of 10, 9 degrees of freedom, 5 sigma.
    places = torch.stack([Rng(2).fold_in(k).permutation(10).argmin() for k in range(2000)])
    chi_square = ((places.bincount(minlength=10) - 200.0).square() / 200).sum()
    assert abs(chi_square - 9) < 5 * math.sqrt(18)


SHAPES = [(5,), (5, 2), (3, 3, 8, 8), (50, 100), (7, 9001), (3, 1, 200, 200)]
"""Drawn for up to 256 steps together; for 13; and for one."""


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("count", [None, 40])
def test_the_streams_of_steps_draw_what_each_draws_alone(
    shape: tuple[int, ...], dtype: torch.dtype, count: int | None
) -> None:
    like = torch.empty(shape, dtype=dtype)
    rng = Rng(4, first_chain=7)
    for step, stream in zip(range(40), rng.steps("step", count), strict=False):
        alone = rng.fold_in("step", step)
        assert (stream.key, stream.first_chain) == (alone.key, alone.first_chain)
        for _ in range(2):
            assert torch.equal(stream.normal(like), alone.normal(like))
            assert torch.equal(stream.uniform(like), alone.uniform(like))


@pytest.mark.parametrize("count", [0, 1, 16, 255, 256, 257, 600])
def test_a_chain_of_some_steps_has_as_many_streams_with_the_same_numbers(count: int) -> None:
    rng, like = Rng(4), torch.empty(3, 2)
    drawn = [stream.normal(like) for stream in rng.steps("step", count)]
    assert len(drawn) == count
    for step, (some, any_number) in enumerate(zip(drawn, rng.steps("step"), strict=False)):
        assert torch.equal(some, any_number.normal(like))
        assert torch.equal(some, rng.fold_in("step", step).normal(like))


def irregular(rng: Rng, step: int) -> list[Tensor]:
    """Draws whose number, kind, order, shape and dtype depend on the step."""
    small, large = torch.empty(3, 2), torch.empty(9, 4000, dtype=torch.float64)
    drawn = [rng.normal(large if step % 5 == 4 else small)]
    if step % 3 == 0:
        drawn += [rng.uniform(small[:, 0]), rng.fold_in("inner").normal(small), rng.normal(small.double())]
    if step % 7 == 2:
        drawn += [rng.of_chain(0).normal(small), rng.permutation(5)]
    return [*drawn, rng.normal(small[: 1 + step % 3])]


@pytest.mark.parametrize("order", ["as they come", "backwards", "interleaved"])
def test_steps_that_draw_differently_get_the_numbers_of_their_own_streams(order: str) -> None:
    rng = Rng(4, first_chain=11)
    streams = list(enumerate(rng.steps("step", 70)))
    if order == "backwards":
        streams.reverse()
    elif order == "interleaved":
        streams = [*streams[::2], *streams[1::2]]
    for step, stream in streams:
        alone = irregular(rng.fold_in("step", step), step)
        for found, exact in zip(irregular(stream, step), alone, strict=True):
            assert torch.equal(found, exact)


def test_what_is_drawn_for_one_step_may_be_changed_and_keeps_no_other_alive() -> None:
    rng, like = Rng(4), torch.empty(3, 2)
    first, second = (stream.normal(like) for stream in islice(rng.steps("step"), 2))
    first.zero_()
    assert torch.equal(second, rng.fold_in("step", 1).normal(like))
    assert second.untyped_storage().nbytes() == second.nbytes


def test_threads_may_share_the_streams_of_a_chain() -> None:
    """Each part of 13 steps is made by whoever comes first, and is thrown away by whoever is ahead."""
    rng, like = Rng(4), torch.empty(5, 1000)
    exact = [rng.fold_in("step", step).normal(like) for step in range(120)]
    for _ in range(5):
        streams = list(rng.steps("step", 120))
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda stream: stream.normal(like), streams))
        assert all(map(torch.equal, found, exact))


def test_large_draws_are_made_in_blocks_of_the_same_numbers() -> None:
    like = torch.empty(7, 3, 200, 200)
    whole = Rng(5).normal(like)
    rows = [Rng(5, first_chain=row).normal(like[:1]) for row in range(7)]
    assert torch.equal(whole, torch.cat(rows))
    assert whole.is_contiguous()


def test_the_numbers_are_those_of_the_first_release() -> None:
    """Runs that were saved go on with the noise they would have had."""
    drawn = Rng(0).fold_in("revision", 7).normal(torch.empty(2, 3, dtype=torch.float64))
    expected = [
        [-0.8858165829107523, 0.6808371085539416, 0.1337034368628009],
        [1.9906299082820176, -0.16765378555688695, 1.162447129315668],
    ]
    assert torch.allclose(drawn, torch.tensor(expected, dtype=torch.float64), rtol=1e-12)
