"""Iterations by hand: what an update does to a weight, to the figures, and what ends a training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.config.tables import AveragingTable
from ebmkit.core import (
    Batch,
    Chain,
    CooperativeScheduler,
    Energy,
    Examples,
    Optimizer,
    Proposal,
    Rng,
    Update,
)
from ebmkit.errors import ConfigError, DivergedError
from ebmkit.training.batches import Batches
from ebmkit.training.loop import Experiment, Learner, Report, train
from ebmkit_langevin.langevin import Langevin
from ebmkit_optim.sgd import SGD
from tests.conftest import Ebmkit
from tests.run.test_rollback import RunFile, weights_are_finite
from tests.training.test_batches import CPU, Numbers


def test_chains_that_run_away_stop_the_run(run_file: RunFile, ebmkit: Ebmkit) -> None:
    # Langevin dynamics under N(0, 0.3^2) is unstable for steps above 0.6: it multiplies by 1 - 12.5 a step.
    outcome = ebmkit("run", run_file("coopnets"), "--set", "revision.step_size=1.5")
    assert outcome.code == 6
    assert "iteration 1: the revised samples reach" in outcome.err
    assert "below 2 s" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_loss_that_is_not_finite_is_not_applied(run_file: RunFile, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", run_file("generator-only"), "--set", "run.iterations=2").code == 0
    file = run_file("generator-only")
    file.write_text(file.read_text().replace("latents = 6", "latents = 6\nnoise_std = 1e-30"))
    outcome = ebmkit("run", file, "--set", "run.output=runs/huge")
    assert outcome.code == 6
    assert "not applied" in outcome.err
    assert weights_are_finite(Path("runs/generator-only"))
    assert not list(Path("runs/huge/checkpoints").glob("iteration-*"))


class Scale(Energy):
    """E(x) = w |x|²."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x.flatten(1).square().sum(1)


class Bowl(CooperativeScheduler):
    """Right of all data: the loss of the energy is w²/2, so that its gradient is w."""

    reach = 0.0
    """Where the revised samples are; the data are at 1."""

    def __init__(self, weight: float = 2.0, *, part: str = "energy") -> None:
        super().__init__()
        self.energy, self.other = Scale(weight), Scale(weight)
        self.revision = Chain(Langevin(step_size=0.1), 1)
        self.part = part
        self.seen: list[tuple[int, float]] = []

    def updates(self, batch: Batch, *, rng: Rng) -> Any:
        self.seen.append((rng.key, float(self.energy.weight.detach())))
        yield Update(self.part, self.loss(), {"weight": self.energy.weight.detach().clone()})
        return Examples(observed=torch.ones(2, 1), revised=torch.full((2, 1), self.reach))

    def loss(self) -> Tensor | None:
        return self.energy.weight.square() / 2

    def propose(self, count: int, *, rng: Rng) -> Proposal:
        return Proposal(torch.zeros(count, 1))


class Teaching(Bowl):
    """Watches, and teaches nothing."""

    def loss(self) -> None:
        return None


class TwiceAnIteration(Bowl):
    def updates(self, batch: Batch, *, rng: Rng) -> Any:
        yield from super().updates(batch, rng=rng)
        return (yield from super().updates(batch, rng=rng))


def experiment(schedule: Bowl, optimizer: Optimizer, averaging: AveragingTable | None = None) -> Experiment:
    batches = Batches(Numbers(4), size=2, rng=Rng(0), device=CPU)
    return Experiment(schedule, {"energy": Learner(schedule.energy, optimizer, averaging)}, batches, Rng(7))


def weights(training: Experiment, iterations: int, start: int = 0) -> list[float]:
    """The weight after each iteration."""
    parameter = training.learners["energy"].module.get_parameter("weight")
    return [float(parameter.detach()) for _ in train(training, iterations=iterations, start=start)]


def stats(report: Report) -> dict[str, float]:
    return {name: float(value) for name, value in report.stats.items()}


def test_gradient_descent_on_a_bowl_shrinks_its_weight_by_one_factor_an_iteration() -> None:
    found = weights(experiment(Bowl(2.0), SGD(lr=0.25)), 5)
    assert found == pytest.approx([2 * 0.75**k for k in range(1, 6)])


def test_each_iteration_has_the_rate_of_its_own_number() -> None:
    """Half as large every second iteration, counted from the beginning of the run wherever it goes on."""
    optimizer = SGD(lr=0.5, lr_decay="exponential", lr_span=2)
    factors = [1 - 0.5 * 2 ** (-k / 2) for k in range(4)]
    whole = weights(experiment(Bowl(1.0), optimizer), 4)
    assert whole == pytest.approx([math.prod(factors[: k + 1]) for k in range(4)])
    later = weights(experiment(Bowl(1.0), optimizer), 4, start=2)
    assert later == pytest.approx([factors[2], factors[2] * factors[3]])


def test_the_figures_are_the_loss_and_the_gradient_before_it_was_clipped() -> None:
    training = experiment(Bowl(-3.0), SGD(lr=1.0, gradient_norm=0.5))
    (report,) = train(training, iterations=1)
    assert stats(report) == {"loss_energy": 4.5, "gradient_energy": 3.0, "weight": -3.0}
    assert float(training.learners["energy"].module.get_parameter("weight").detach()) == -2.5


def test_an_update_without_a_loss_is_a_figure_and_teaches_nothing() -> None:
    training = experiment(Teaching(2.0), SGD(lr=0.25))
    (report,) = train(training, iterations=1)
    assert stats(report) == {"weight": 2.0}
    assert weights(training, 3) == [2.0] * 3


def test_a_part_that_is_taught_and_cannot_learn_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^the schedule teaches the other, but no weight of it learns"):
        list(train(experiment(Bowl(part="other"), SGD(lr=0.1)), iterations=1))


@pytest.mark.parametrize("weight", [math.nan, math.inf, 1e30])
def test_what_is_not_finite_is_not_applied(weight: float) -> None:
    """The square of 1e30 is beyond float32."""
    schedule = Bowl(weight)
    training = experiment(schedule, SGD(lr=0.25, momentum=0.5))
    with pytest.raises(DivergedError, match=r"^iteration 1: the energy has loss (inf|nan) and gradient norm"):
        list(train(training, iterations=1))
    assert torch.equal(schedule.energy.weight.nan_to_num(7), torch.tensor(weight).nan_to_num(7))
    assert not training.learners["energy"].optimizer.state


@pytest.mark.parametrize(
    ("reach", "runs_away"), [(0.0, False), (-100.0, False), (100.5, True), (math.inf, True), (math.nan, True)]
)
def test_chains_have_run_away_beyond_a_hundred_times_the_data(reach: float, runs_away: bool) -> None:
    schedule = Bowl()
    schedule.reach = reach
    training = experiment(schedule, SGD(lr=0.25))
    if runs_away:
        with pytest.raises(DivergedError, match="where the data reach 1: the chains ran away"):
            list(train(training, iterations=1))
    else:
        assert len(list(train(training, iterations=1))) == 1


def test_reports_count_what_is_done_and_each_iteration_has_noise_of_its_own() -> None:
    schedule = Bowl()
    reports = list(train(experiment(schedule, SGD(lr=0.25)), iterations=5, start=2))
    assert [report.iteration for report in reports] == [3, 4, 5]
    assert [key for key, _ in schedule.seen] == [Rng(7).fold_in("iteration", k).key for k in (2, 3, 4)]
    assert list(train(experiment(Bowl(), SGD(lr=0.25)), iterations=5, start=5)) == []


def test_every_figure_is_a_number_and_so_are_the_seconds_of_each_stage() -> None:
    schedule = Bowl(2.0)
    schedule.reach = 0.5
    (report,) = train(experiment(schedule, SGD(lr=0.25)), iterations=1)
    figures = report.metrics()
    assert {type(value) for value in figures.values()} == {float}
    assert {"seconds_data", "seconds_update_energy"} <= figures.keys()
    # w = 1.5 after the update: energies of 1.5 at the data, of 1.5 / 4 at the samples.
    assert (figures["energy_observed"], figures["energy_revised"]) == (1.5, 0.375)


def test_the_average_begins_with_its_iteration_and_takes_every_update() -> None:
    """Twice an iteration, of weights 2 · 0.75ᵏ; with a decay of 0 the last one counts alone."""
    training = experiment(TwiceAnIteration(2.0), SGD(lr=0.25), AveragingTable(decay=0.0, start=2))
    kept = []
    for _ in train(training, iterations=4):
        average = training.learners["energy"].average
        assert average is not None
        kept.append(
            (average.updates, {part: float(of["weight"]) for part, of in training.averages().items()})
        )
    assert kept[:2] == [(0, {}), (0, {})]
    assert kept[2] == (2, {"energy": pytest.approx(2 * 0.75**6)})
    assert kept[3] == (4, {"energy": pytest.approx(2 * 0.75**8)})
