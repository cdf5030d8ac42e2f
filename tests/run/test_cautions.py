"""What is known to go wrong is said by ``check`` and at the start of ``run``; nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ebmkit.core import Rng, run_chain, unstable_step
from ebmkit_langevin import Langevin
from ebmkit_mcmc import Annealed, Underdamped
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]

WHOLE = 10_000
"""More than the images of any run file of the tests."""


class Quadratic:
    r"""$E(x) = \|x\|^2 / 2 s^2$: a reference that no network tilts."""

    reference_std = 0.5

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x.square().sum(1) / (2 * self.reference_std**2)


@pytest.mark.parametrize("step_size", [0.999, 1.001])
def test_langevin_is_cautious_exactly_where_its_chain_runs_away(step_size: float) -> None:
    energy, sampler = Quadratic(), Langevin(step_size=step_size, noise=False)
    end = run_chain(sampler, energy, torch.ones(1, 3), steps=2000, rng=Rng(0)).x
    assert (sampler.caution(energy) is None) == bool((end.abs() < 1).all())


@pytest.mark.parametrize("step_size", [0.999, 1.001])
def test_annealed_is_cautious_exactly_where_its_chain_runs_away(step_size: float) -> None:
    energy = Quadratic()
    sampler = Annealed(step_size=step_size, temperature=1e-12, temperature_start=1e-12)
    end = run_chain(sampler, energy, torch.ones(1, 3), steps=2000, rng=Rng(0)).x
    assert (sampler.caution(energy) is None) == bool((end.abs() < 1).all())


@pytest.mark.parametrize("step_size", [0.99, 1.01])
def test_underdamped_is_cautious_exactly_where_its_chain_runs_away(step_size: float) -> None:
    energy = Quadratic()
    sampler = Underdamped(step_size=step_size, friction=1e-3, temperature=1e-12)
    end = run_chain(sampler, energy, torch.ones(1, 3), steps=300, rng=Rng(0)).x
    assert (sampler.caution(energy) is None) == bool((end.abs() < 100).all())


@pytest.mark.parametrize("bound", [{"clip": 1.0}, {"clamp": (-1.0, 1.0)}])
def test_bounded_steps_cannot_run_away(bound: dict[str, object]) -> None:
    assert Langevin(step_size=5.0, **bound).caution(Quadratic()) is None  # type: ignore[arg-type]


def test_an_energy_without_a_finite_reference_has_no_longest_step() -> None:
    energy = Quadratic()
    for std in (float("inf"), None, "0.5"):
        energy.reference_std = std  # type: ignore[assignment]
        assert unstable_step(1e9, energy) is None


def test_a_reference_written_without_a_point_counts() -> None:
    energy = Quadratic()
    energy.reference_std = 1
    assert unstable_step(2.0, energy) is not None
    assert unstable_step(1.9, energy) is None


@pytest.mark.parametrize(
    "std",
    [
        torch.tensor(0.5),
        torch.tensor([0.5]),
        torch.nn.Parameter(torch.tensor(0.5)),
        torch.tensor([3.0, 0.5]),
        torch.tensor([[[3.0]], [[0.5]]]),
        torch.tensor([torch.inf, 0.5]),
    ],
    ids=["one number", "one channel", "learned", "channels", "broadcast", "one channel without"],
)
def test_of_a_reference_that_is_a_tensor_the_narrowest_decides(std: torch.Tensor) -> None:
    energy = Quadratic()
    energy.reference_std = std  # type: ignore[assignment]
    told = unstable_step(1.0, energy)
    assert told is not None
    assert "is not below 2 s = 1:" in told
    assert ("the narrowest reference_std = 0.5" in told) == (std.numel() > 1)
    assert unstable_step(0.99, energy) is None
    assert Langevin(step_size=1.0).caution(energy) == told


@pytest.mark.parametrize(
    "std", [torch.empty(0), torch.tensor([1.0, 0.0]), torch.tensor([1.0, torch.nan]), torch.tensor(1j)]
)
def test_a_tensor_that_holds_no_spreads_has_no_longest_step(std: torch.Tensor) -> None:
    energy = Quadratic()
    energy.reference_std = std  # type: ignore[assignment]
    assert unstable_step(1e9, energy) is None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            ["revision.step_size=2.0", "energy.reference_std=0.5"],
            "[revision] step_size = 2 is not below 2 s = 1",
        ),
        ([f"data.batch={WHOLE}"], f"[data] batch = {WHOLE} is more than the"),
        (["schedule.chains=1"], "[schedule] one chain: the generator's batch normalisation"),
    ],
)
def test_check_says_each_by_itself(settings: list[str], says: str, run_file: RunFile, ebmkit: Ebmkit) -> None:
    sets = [word for each in ["generator.norm=batch", *settings] for word in ("--set", each)]
    outcome = ebmkit("check", run_file("coopnets"), *sets, "--json")
    (warning,) = json.loads(outcome.out)["warnings"]
    assert outcome.code == 0
    assert warning.startswith(says)
    told = ebmkit("check", run_file("coopnets"), *sets)
    assert f"warning: {says}" in told.out + told.err


@pytest.mark.parametrize("norm", ["batch-always", "group", "none"])
def test_one_chain_is_well_where_sampling_normalises_as_learning_does(
    norm: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    sets = ("--set", f"generator.norm={norm}", "--set", "schedule.chains=1")
    assert json.loads(ebmkit("check", run_file("coopnets"), *sets, "--json").out)["warnings"] == []


def test_a_run_begins_with_the_warning(run_file: RunFile, ebmkit: Ebmkit) -> None:
    outcome = ebmkit(
        "run", run_file("coopnets"), "--set", "schedule.chains=1", "--set", "generator.norm=batch"
    )
    assert outcome.code == 0
    assert "warning: [schedule] one chain" in outcome.out + outcome.err
