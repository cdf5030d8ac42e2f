from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ebmkit.config import GuardTable, read_document
from ebmkit.config.plan import Plan, make_plan
from ebmkit.core import Examples, Rng, World, roughness, saturation
from ebmkit.errors import ConfigError, DivergedError
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from ebmkit.run.processes import Crew
from ebmkit.run.rollback import GuardedTraining
from ebmkit.training.guard import Guard, Memory, Rollback
from ebmkit.training.loop import Report
from tests.models import double
from tests.run.test_rollback import RunFile


def report(iteration: int, loss: float, examples: Examples | None = None) -> Report:
    return Report(iteration, examples or Examples(), {}, {"loss_energy": torch.tensor(loss)}, None)  # type: ignore[arg-type]


def watched(losses: Iterable[float], **settings: float) -> Guard:
    guard = Guard(GuardTable(**settings))
    for iteration, loss in enumerate(losses, 1):
        guard.check(report(iteration, loss))
    return guard


def photographs(contrast: float = 1.0, noise: float = 0.0) -> Tensor:
    """Smooth pictures of a given contrast under white noise, ``(8, 1, 32, 32)``."""
    waves = torch.linspace(0, 6.28, 32).sin() * contrast
    return (waves[:, None] * waves).expand(8, 1, 32, 32) * 0.5 + noise * double(8, 1, 32, 32).float()


def test_roughness_of_white_noise_is_its_standard_deviation_times_root_five_quarters() -> None:
    noise = 0.3 * double(64, 3, 32, 32)
    # 64 x 3 x 900 squares, neighbours correlated: the mean is known to about 0.5 %.
    assert roughness(noise).square().mean().sqrt() == pytest.approx(0.3 * 1.25**0.5, rel=0.02)  # type: ignore[union-attr]
    assert roughness(double(5, 100)) is None
    assert roughness(double(5, 1, 2, 2)) is None


def test_saturation_does_not_count_what_the_data_have() -> None:
    drawing = torch.tensor([-1.0, -1.0, -1.0, 0.2]).repeat(4, 4)
    assert saturation(drawing, drawing) == 0
    assert saturation(drawing.sign(), drawing) == 1
    assert saturation(0.5 * drawing, drawing) < 0


@pytest.mark.parametrize(("factor", "diverged"), [(99, False), (101, True)])
def test_energies_that_run_away_are_seen_at_the_limit(factor: float, diverged: bool) -> None:
    guard = watched([2.0, -2.0] * 51)
    if diverged:
        with pytest.raises(DivergedError, match="iteration 103: the loss of the energy is 101 times"):
            guard.check(report(103, -2.0 * factor))
    else:
        guard.check(report(103, -2.0 * factor))


def test_a_loud_beginning_is_no_divergence() -> None:
    watched([1e6, 1e2, 3e5, 1.0, *[0.01] * 100])


def test_an_energy_that_grows_from_nothing_is_no_divergence() -> None:
    watched([1.15**iteration for iteration in range(100)])  # the last is a thousand times the median


@pytest.mark.parametrize("sign", ["roughness", "saturation"])
def test_images_count_only_after_they_were_healthy_once(sign: str) -> None:
    data = photographs()
    bad = photographs(noise=0.5) if sign == "roughness" else photographs(contrast=3.0).clamp(-0.5, 0.5)
    guard = Guard(GuardTable(roughness_limit=6 if sign == "roughness" else 1e9))
    guard.check(report(10, 1.0, Examples(observed=data, revised=bad)))
    guard.check(report(20, 1.0, Examples(observed=data, revised=photographs(noise=0.01))))
    guard.check(report(21, 1.0, Examples(observed=data, revised=bad)))  # looked at every tenth iteration
    with pytest.raises(DivergedError, match="salt and pepper" if sign == "roughness" else "ends of the data"):
        guard.check(report(30, 1.0, Examples(observed=data, revised=bad)))


@pytest.mark.parametrize(("shape", "word"), [((8, 1, 4, 4), "pixels"), ((8, 16), "coordinates")])
def test_a_saturated_training_is_told_in_the_words_of_its_data(shape: tuple[int, ...], word: str) -> None:
    data = torch.linspace(-1, 1, 8 * 16).view(shape)
    guard = Guard(GuardTable())
    guard.check(report(10, 1.0, Examples(observed=data, revised=data)))
    with pytest.raises(DivergedError, match=f"100% of the revised {word} stick at the ends"):
        guard.check(report(20, 1.0, Examples(observed=data, revised=data.sign())))


def test_a_checkpoint_is_trusted_once_iterations_without_a_warning_have_followed() -> None:
    guard = watched([1.0] * 100, healthy_after=20)
    guard.saved(100)
    for iteration in range(101, 120):
        guard.check(report(iteration, 1.0))
    assert (guard.trusted, guard.pending, guard.protected) == ([], 100, {100})
    guard.check(report(120, 1.0))
    assert (guard.trusted, guard.pending) == ([100], None)
    guard.saved(120)
    guard.check(report(121, 60.0))  # over half the limit: a warning
    assert (guard.trusted, guard.pending) == ([100], None)
    guard.saved(121)
    assert guard.pending is None
    guard.check(report(122, 1.0))
    guard.saved(122)
    assert guard.protected == {100, 122}


def test_the_window_counts_rollbacks() -> None:
    guard = Guard(GuardTable(rollbacks=2, window=100))
    guard.rollbacks = [Rollback(10, 0, ""), Rollback(50, 20, "")]
    assert not guard.may_return(109)
    assert guard.may_return(110)
    assert not Guard(GuardTable(rollbacks=0)).may_return(1)


def test_a_guard_remembers_everything_in_json() -> None:
    guard = watched([1.0, 0.1, 3.7] * 30, healthy_after=5)
    guard.saved(90)
    guard.check(report(91, 60.0))
    guard.rollbacks = [Rollback(10, 0, "why", 0.5, 0.1)]
    remembered = Memory.from_json(json.loads(json.dumps(guard.memory.to_json())), {})
    assert Guard.remembering(guard.settings, remembered) == guard
    assert Guard.remembering(guard.settings, None) == Guard(guard.settings)


def plan_of(file: Path, *overrides: str) -> Plan:
    return make_plan(read_document(file, overrides), Registry.discover())


def test_rollbacks_change_the_noise_and_by_choice_step_and_rates(run_file: RunFile) -> None:
    plan = plan_of(run_file("coopnets"), "run.seed=7")
    rollbacks = [Rollback(9, 0, "", step_factor=0.5, rate_factor=0.1)] * 2
    first, second = build_experiment(plan), build_experiment(plan, rollbacks=rollbacks)
    assert first.rng.key == Rng(7).key
    assert second.rng.key == Rng(7).fold_in("rollback", 2).key
    assert second.batches.rng.key == first.batches.rng.key
    assert second.schedule.revision.sampler.step_size == pytest.approx(0.03 / 4)  # type: ignore[union-attr, operator]
    for part in ("energy", "generator"):
        assert second.learners[part].settings.rate(0) == pytest.approx(1e-3 / 100)
    assert plan.eased(1, 1) == plan


def test_a_step_that_is_not_there_cannot_be_made_smaller(run_file: RunFile) -> None:
    with pytest.raises(ConfigError, match="'step_factor' needs a"):
        plan_of(run_file("generator-only"), "guard.step_factor=0.5")


@pytest.mark.parametrize("where", ["weights", "optimizer", "chains"])
def test_nothing_that_is_not_finite_is_saved(where: str, run_file: RunFile, tmp_path: Path) -> None:
    plan = plan_of(run_file("descriptor-only"))
    training = GuardedTraining(
        plan, tmp_path / "checkpoints", build_experiment(plan), Guard(plan.guard), Crew(World())
    )
    next(training.reports(0, on_rollback=lambda _: None))
    training.refuse_non_finite()
    schedule, learner = training.experiment.schedule, training.experiment.learners["energy"]
    tensors = {
        "weights": next(schedule.parameters()).data,
        "optimizer": next(iter(learner.optimizer.state.values()))["exp_avg"],
        "chains": schedule.replay.samples,
    }
    tensors[where].view(-1)[3] = float("inf")  # type: ignore[operator]
    with pytest.raises(DivergedError, match="no longer finite"):
        training.refuse_non_finite()


@pytest.mark.parametrize("due", ["run.checkpoint_every=2", "evaluation.every=2"])
def test_no_iteration_goes_by_whose_checkpoint_may_be_kept_and_is_not_finite(
    due: str, run_file: RunFile, tmp_path: Path
) -> None:
    plan = plan_of(run_file("descriptor-only"), "guard.rollbacks=0", "run.checkpoint_every=50", due)
    training = GuardedTraining(
        plan, tmp_path / "checkpoints", build_experiment(plan), Guard(plan.guard), Crew(World())
    )
    reports = training.reports(0, on_rollback=lambda _: None)
    next(reports)
    # Adam's own memory of an update: nothing else of the next iteration would show it.
    learner = training.experiment.learners["energy"]
    next(iter(learner.optimizer.state.values()))["exp_avg_sq"].view(-1)[0] = float("inf")
    with pytest.raises(DivergedError, match="no longer finite"):
        next(reports)
