from __future__ import annotations

import copy
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, load_file, save
from torch import Tensor

from ebmkit.core import PersistentChains, Rng, gather, world
from tests.processes import run_processes

SHAPE = (2, 3)


def started(slots: int, *, restart: float = 0.0) -> PersistentChains:
    """Chains of which slot i keeps the number 100 + i everywhere."""
    replay = PersistentChains(slots, SHAPE, restart=restart)
    numbers = torch.arange(100.0, 100 + slots)
    replay.keep(torch.arange(slots), numbers[:, None, None].expand(-1, *SHAPE))
    return replay


def five(replay: PersistentChains, data: Tensor | None, iterations: range) -> Tensor:
    """Iterations that take five of the slots and move them by noise; where they began, ``(k, 5, *S)``."""
    starts = []
    for iteration in iterations:
        x, slots, rng = replay.start(5, rng=Rng(7).fold_in("iteration", iteration), data=data)
        replay.keep(slots, x + rng.fold_in("revision").normal(x))
        starts.append(gather(x))
    return torch.stack(starts)


def test_all_slots_are_taken_in_order_and_fewer_at_random_and_never_twice() -> None:
    replay = PersistentChains(10, SHAPE)
    assert torch.equal(replay.start(10, rng=Rng(0)).slots, torch.arange(10))
    count, times = 3, 4000
    taken = torch.stack([replay.start(count, rng=Rng(0).fold_in(k)).slots for k in range(times)])
    assert bool((taken.diff(dim=1) > 0).all())
    # Each slot is taken with probability 3 / 10: five standard errors are passed once in 1.7 million slots.
    frequency = taken.flatten().bincount(minlength=10) / times
    assert torch.all((frequency - 0.3).abs() < 5 * math.sqrt(0.3 * 0.7 / times))
    # As often with any one neighbour as with another: 2 / 9 of the 3 / 10.
    pairs = torch.stack([((taken == a).any(1) & (taken == 0).any(1)).float().mean() for a in range(1, 10)])
    expected = 0.3 * 2 / 9
    assert torch.all((pairs - expected).abs() < 5 * math.sqrt(expected * (1 - expected) / times))


def test_what_is_written_back_is_in_the_slots_that_were_taken_and_nowhere_else() -> None:
    replay = started(10)
    x, slots, _ = replay.start(4, rng=Rng(5))
    assert torch.equal(x[:, 0, 0], 100.0 + slots)
    before = replay.samples.clone()
    replay.keep(slots, -x)
    assert torch.equal(replay.samples[slots], -x)
    others = [slot for slot in range(10) if slot not in slots]
    assert len(others) == 6
    assert torch.equal(replay.samples[others], before[others])


def test_a_slot_is_started_anew_the_first_time_that_it_is_taken() -> None:
    replay = PersistentChains(10, SHAPE)
    first, slots, rng = replay.start(4, rng=Rng(5))
    assert torch.equal(first, rng.fold_in("start").normal(torch.empty(4, *SHAPE)))
    replay.keep(slots, first + 100)
    assert replay.started.nonzero().flatten().tolist() == slots.tolist()
    second = replay.start(10, rng=Rng(6)).x
    assert torch.equal(second[slots], first + 100)
    others = [slot for slot in range(10) if slot not in slots]
    assert torch.equal(second[others], Rng(6).fold_in("start").normal(torch.empty(10, *SHAPE))[others])


@pytest.mark.parametrize("restart", [0.05, 0.5])
def test_chains_are_started_anew_as_often_as_they_should(restart: float) -> None:
    count, times = 50, 400
    replay = started(100, restart=restart)
    anew = torch.stack(
        [replay.start(count, rng=Rng(1).fold_in(k)).x[:, 0, 0] < 50 for k in range(times)]
    ).double()
    # Five standard errors of independent coins: a false alarm has probability 6e-7.
    spread = math.sqrt(restart * (1 - restart))
    assert abs(anew.mean() - restart) < 5 * spread / math.sqrt(anew.numel())
    # The coins of one iteration, and of one chain, are independent: their sums spread like binomials.
    for sums, coins in ((anew.sum(1), count), (anew.sum(0), times)):
        assert abs(sums.std() / (spread * math.sqrt(coins)) - 1) < 5 / math.sqrt(2 * len(sums))


def test_probabilities_of_0_and_1_mean_never_and_always() -> None:
    for k in range(200):
        assert torch.equal(started(50).start(50, rng=Rng(k)).x[:, 0, 0], torch.arange(100.0, 150))
        x, _, rng = started(50, restart=1.0).start(50, rng=Rng(k))
        assert torch.equal(x, rng.fold_in("start").normal(x))


def test_chains_start_from_the_law_of_their_noise() -> None:
    numbers = 60_000
    for noise, distribution in (
        ("normal", torch.distributions.Normal(0.0, 0.4)),
        ("uniform", torch.distributions.Uniform(-0.4, 0.4)),
    ):
        replay = PersistentChains(numbers // 6, SHAPE, noise=noise, scale=0.4)  # type: ignore[arg-type]
        x = replay.start(len(replay), rng=Rng(3)).x.flatten().sort().values
        # The Kolmogorov-Smirnov distance passes 2.7 / sqrt(n) with probability 2 exp(-2 * 2.7^2) = 9e-7.
        steps = torch.arange(numbers + 1) / numbers
        reached = distribution.cdf(x)
        distance = torch.maximum(reached - steps[:-1], steps[1:] - reached).max()
        assert distance < 2.7 / math.sqrt(numbers), noise


def test_from_data_a_chain_takes_the_example_of_its_number() -> None:
    data = torch.arange(3.0)[:, None, None].expand(-1, *SHAPE)
    first = PersistentChains(7, SHAPE).start(7, rng=Rng(0), data=data).x
    assert first[:, 0, 0].tolist() == [0, 1, 2, 0, 1, 2, 0]
    x = started(40, restart=0.5).start(40, rng=Rng(0), data=data).x[:, 0, 0]
    kept = x >= 100
    assert 5 < kept.sum() < 35
    rows = torch.arange(40.0)
    assert torch.equal(x, torch.where(kept, 100 + rows, rows % 3))


def test_the_latest_are_repeated_in_turn_and_noise_where_there_are_none() -> None:
    replay = PersistentChains(3, SHAPE)
    noise = Rng(2).fold_in("start").normal(torch.empty(5, *SHAPE))
    assert torch.equal(replay.latest(5, rng=Rng(2)), noise)
    replay.keep(torch.tensor([0, 2]), torch.ones(2, *SHAPE))
    mixed = replay.latest(5, rng=Rng(2))
    assert torch.equal(mixed[[0, 2, 3]], torch.ones(3, *SHAPE))
    assert torch.equal(mixed[[1, 4]], noise[[1, 4]])
    assert torch.equal(replay.latest(2, rng=Rng(2, first_chain=3)), mixed[3:])
    assert replay.started.tolist() == [True, False, True]


def test_a_start_is_a_function_of_the_stream_and_of_what_is_kept() -> None:
    replay = started(20, restart=0.3)
    for data in (None, torch.zeros(4, *SHAPE)):
        # The trainer's stream begins at this process's images: the chains do not feel it.
        one = replay.start(6, rng=Rng(9), data=data)
        two = copy.deepcopy(replay).start(6, rng=Rng(9, first_chain=3), data=data)
        assert torch.equal(one.x, two.x)
        assert torch.equal(one.slots, two.slots)
        assert not torch.equal(one.slots, replay.start(6, rng=Rng(10), data=data).slots)


@pytest.mark.parametrize("data", [None, torch.zeros(3, *SHAPE)], ids=["noise", "data"])
def test_saved_after_two_iterations_it_goes_on_to_the_bit(data: Tensor | None) -> None:
    whole, stopped, resumed = (PersistentChains(12, SHAPE, restart=0.3) for _ in range(3))
    starts = five(whole, data, range(6))
    five(stopped, data, range(2))
    assert 0 < int(stopped.started.sum()) < 12
    resumed.load_state_dict(load(save(stopped.state_dict())))
    assert torch.equal(five(resumed, data, range(2, 6)), starts[2:])
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())


TWO = """
import sys, torch
from safetensors.torch import save_file
from ebmkit.core import PersistentChains, world
from ebmkit.run.processes import joined
from tests.core.test_persistent import SHAPE, five

with joined():
    rank = world().rank
    data = torch.arange(3.0)[:, None, None].expand(-1, *SHAPE)[world().rows(3)]
    out = {}
    for name, given in (("noise", None), ("data", data)):
        replay = PersistentChains(12, SHAPE, restart=0.3)
        out[f"{name} starts"] = five(replay, given, range(6))
        out |= {f"{name} {key}": value for key, value in replay.state_dict().items()}
    save_file(out, f"{sys.argv[1]}/{rank}.safetensors")
"""


def test_two_processes_keep_what_one_keeps_to_the_bit(tmp_path: Path) -> None:
    """Five chains, two and three, from three examples, one and two."""
    assert world().size == 1
    run_processes(["-c", TWO, str(tmp_path)], Path.cwd())
    data = torch.arange(3.0)[:, None, None].expand(-1, *SHAPE)
    both = [load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1)]
    for name, given in (("noise", None), ("data", data)):
        replay = PersistentChains(12, SHAPE, restart=0.3)
        expected = {"starts": five(replay, given, range(6)), **replay.state_dict()}
        for key, value in expected.items():
            for rank, found in enumerate(both):
                assert torch.equal(found[f"{name} {key}"], value), (name, key, rank)


def test_the_one_flag_of_earlier_releases_is_taken_for_every_slot() -> None:
    for flag in (True, False):
        replay = PersistentChains(3, SHAPE)
        replay.load_state_dict({"samples": torch.ones(3, *SHAPE), "started": torch.tensor(flag)})
        assert replay.started.tolist() == [flag] * 3
    one = PersistentChains(1, SHAPE)
    one.load_state_dict({"samples": torch.ones(1, *SHAPE), "started": torch.tensor([True])})
    assert one.started.tolist() == [True]


def test_states_of_a_number_each_and_of_another_dtype_are_kept() -> None:
    replay = PersistentChains(4, ()).double()
    x, slots, _ = replay.start(4, rng=Rng(0))
    assert x.shape == (4,)
    assert x.dtype == torch.float64
    replay.keep(slots, x.float().requires_grad_())
    assert torch.equal(replay.samples, x.float().double())
    assert not replay.samples.requires_grad


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"slots": 0}, "slots must be >= 1, got 0"),
        ({"restart": 1.5}, "restart must be a probability, from 0 to 1, got 1.5"),
        ({"restart": math.nan}, "restart must be a probability, from 0 to 1, got nan"),
        ({"noise": "pink"}, "noise must be 'normal' or 'uniform', got 'pink'"),
        ({"scale": 0.0}, "scale must be > 0 and finite, got 0.0"),
        ({"scale": math.inf}, "scale must be > 0 and finite, got inf"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared below
        PersistentChains(**{"slots": 4, "shape": SHAPE} | values)  # type: ignore[arg-type]
    assert str(caught.value) == said


def test_more_chains_than_slots_are_refused() -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared below
        PersistentChains(4, SHAPE).start(5, rng=Rng(0))
    assert str(caught.value) == "5 chains in 4 slots: a slot keeps one chain"


def test_it_says_what_it_is() -> None:
    replay = PersistentChains(4, SHAPE, restart=0.05, noise="uniform", scale=1.0)
    assert repr(replay) == "PersistentChains(4, (2, 3), restart=0.05, noise='uniform', scale=1.0)"
    shown = repr(replay.start(3, rng=Rng(0)))
    assert shown.startswith("Start(x=(3, 2, 3) float32, slots=tensor([")
