"""Averaged weights of a run: the sum that defines them, resumed to the bit, rolled back, and used."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import tomli_w
import torch
from torch import Tensor

from ebmkit.applications.opened import load
from ebmkit.applications.sampling import load_schedule
from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.core import Rng
from ebmkit.core.averaging import re_estimate
from ebmkit.errors import CheckpointError, ConfigError
from ebmkit.evaluation.store import read_evaluations
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from ebmkit.run.weights import Weights
from ebmkit.storage.best import Best, Which, keep_best, open_checkpoint
from ebmkit.storage.capture import capture
from ebmkit.storage.checkpoint import newest_checkpoint
from ebmkit.storage.folder import RunFolder
from ebmkit.training.loop import Experiment, train
from tests.conftest import Ebmkit
from tests.run.test_resume import final_state, metrics, same_bits
from tests.run.test_rollback import sets

RunFile = Callable[[str], Path]

SETTINGS = ("energy.averaging.decay=0.5", "energy.averaging.start=2", "generator.averaging.decay=0.75")
"""The energy is averaged from iteration 2 on, the third; the generator from the first."""

AVERAGED = sets(*SETTINGS)
LAST = ("--weights", "last")


def experiment(file: Path, *overrides: str) -> Experiment:
    return build_experiment(make_plan(read_document(file, overrides), Registry.discover()))


def weights(training: Experiment) -> dict[str, dict[str, Tensor]]:
    """Of each part that learns, by name, as they are now."""
    return {
        part: {name: each.detach().double() for name, each in learner.module.named_parameters()}
        for part, learner in training.learners.items()
    }


def test_an_average_is_the_weighted_mean_over_the_iterations_from_its_start(run_file: RunFile) -> None:
    training = experiment(run_file("coopnets"), *SETTINGS)
    after = [weights(training) for _ in train(training, iterations=6)]
    captured = capture(training, iteration=6)
    saved = flat(captured.averages())
    names = {f"{part}.{name}" for part, each in after[0].items() for name in each}
    assert set(saved) == names
    for part, decay, start in (("energy", 0.5, 2), ("generator", 0.75, 0)):
        shares = torch.tensor([decay**age for age in reversed(range(6 - start))], dtype=torch.float64)
        for name in after[0][part]:
            mean = sum(
                share * each[part][name]
                for share, each in zip(shares / shares.sum(), after[start:], strict=True)
            )
            assert torch.allclose(saved[f"{part}.{name}"].double(), mean, rtol=1e-5, atol=1e-7)


def test_every_update_of_an_iteration_counts(run_file: RunFile) -> None:
    """The rigorous schedule updates its generator twice an iteration."""
    training = experiment(run_file("coopnets-rigorous"), *SETTINGS)
    list(train(training, iterations=3))
    counts = {part: learner.average.updates for part, learner in training.learners.items() if learner.average}
    assert counts == {"energy": 1, "generator": 6}


def test_training_is_the_same_to_the_bit_with_and_without(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    assert ebmkit("run", file, "--set", "run.output=without").code == 0
    assert ebmkit("run", file, "--set", "run.output=with", *AVERAGED).code == 0
    plain, averaged = final_state(Path("without")), final_state(Path("with"))
    assert same_bits(
        plain, {name: each for name, each in averaged.items() if not name.startswith("averaged/")}
    )
    assert not any(name.startswith("averaged/") for name in plain)
    assert metrics(Path("without")) == metrics(Path("with"))


@pytest.mark.parametrize("stops", [(3,), pytest.param((1, 2, 5), marks=pytest.mark.slow)])
def test_resume_equals_the_uninterrupted_run_from_every_iteration(
    run_file: RunFile, ebmkit: Ebmkit, stops: tuple[int, ...]
) -> None:
    """Before the average of the energy begins, at its beginning, and after."""
    file = run_file("coopnets")
    assert ebmkit("run", file, "--set", "run.output=whole", *AVERAGED).code == 0
    whole = final_state(Path("whole"))
    assert whole["averaged/energy/updates"] == 4
    assert whole["averaged/generator/updates"] == 6
    for stop in stops:
        cut = f"cut-{stop}"
        run = ("run", file, *sets(f"run.output={cut}", f"run.iterations={stop}"), *AVERAGED)
        assert ebmkit(*run).code == 0
        assert not same_bits(final_state(Path(cut)), whole)
        assert ebmkit("resume", cut, "--set", "run.iterations=6").code == 0
        assert same_bits(final_state(Path(cut)), whole)


@pytest.mark.slow
def test_weights_that_were_not_averaged_before_are_from_where_the_run_goes_on(
    run_file: RunFile, ebmkit: Ebmkit
) -> None:
    """It is a change of the run file like others, and the average knows nothing of what was before."""
    assert ebmkit("run", run_file("coopnets"), "--set", "run.iterations=4").code == 0
    on = ("resume", "coopnets", "--set", "run.iterations=6", "--set", "energy.averaging.decay=0.5")
    refused = ebmkit(*on)
    assert refused.code == 2
    assert "energy.averaging  -     " in refused.err
    assert ebmkit(*on, "--allow-change", "energy.averaging").code == 0
    assert final_state(Path("runs/coopnets"))["averaged/energy/updates"] == 2


@pytest.mark.slow
def test_an_average_that_is_no_longer_kept_is_left(run_file: RunFile, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", run_file("coopnets"), "--set", "run.iterations=4", *AVERAGED).code == 0
    config = Path("runs/coopnets/config.toml")
    lines = config.read_text().splitlines(keepends=True)
    config.write_text(without_averaging("".join(lines)))
    refused = ebmkit("resume", "coopnets", "--set", "run.iterations=6")
    assert refused.code == 2
    assert "energy.averaging" in refused.err
    changes = ("--allow-change", "energy.averaging", "--allow-change", "generator.averaging")
    assert ebmkit("resume", "coopnets", "--set", "run.iterations=6", *changes).code == 0
    assert not any(name.startswith("averaged/") for name in final_state(Path("runs/coopnets")))


def without_averaging(text: str) -> str:
    """A resolved run file without its tables ``[energy.averaging]`` and ``[generator.averaging]``."""
    document = tomllib.loads(text)
    for table in document.values():
        table.pop("averaging", None)
    return tomli_w.dumps(document)


def used(folder: Path, weights: Weights | None, which: Which = "newest") -> dict[str, Tensor]:
    """What a trained run is used with."""
    return load_schedule(RunFolder(folder), which=which, weights=weights)[0].state_dict()


def flat(averages: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Averages by the names that they have in the schedule."""
    return {f"{part}.{name}": value for part, of in averages.items() for name, value in of.items()}


def test_trained_parts_are_used_with_averaged_weights_where_there_are_some(
    run_file: RunFile, ebmkit: Ebmkit
) -> None:
    assert ebmkit("run", run_file("coopnets"), *AVERAGED).code == 0
    folder = Path("runs/coopnets")
    checkpoint = newest_checkpoint(folder / "checkpoints")[0]
    averaged, last, unsaid = (used(folder, weights) for weights in ("averaged", "last", None))
    assert same_bits(last, checkpoint.model_state())
    assert same_bits(averaged, unsaid)
    mean = flat(checkpoint.averages())
    names = {name for name, _ in load_schedule(RunFolder(folder))[0].named_parameters()}
    assert names == set(mean)
    for name in names:
        assert torch.equal(averaged[name], mean[name])
    # The head's biases never move: those of data and samples cancel in the loss.
    assert {name for name in names if torch.equal(averaged[name], last[name])} == {"energy.head.bias"}
    others = [name for name in last if name not in names and not torch.equal(last[name], averaged[name])]
    assert others == [
        f"generator.layers.{layer}.running_{what}" for layer in (0, 3) for what in ("mean", "var")
    ]


@pytest.mark.parametrize("asked", ["averaged", "last", None])
def test_parts_that_a_program_hands_in_are_given_the_same_weights(
    asked: Weights | None, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    assert ebmkit("run", run_file("coopnets"), *AVERAGED).code == 0
    own = load_schedule(RunFolder(Path("runs/coopnets")))[0]
    with torch.no_grad():
        for parameter in own.parameters():
            parameter.add_(1.0)
    trained = load("coopnets", schedule=own, weights=asked)
    assert trained.schedule is own
    assert same_bits(own.state_dict(), used(Path("runs/coopnets"), asked))
    assert same_bits(load("coopnets", weights=asked).schedule.state_dict(), own.state_dict())


def test_a_checkpoint_that_is_asked_for_has_its_own_averages(run_file: RunFile, ebmkit: Ebmkit) -> None:
    """Of an earlier iteration, and of the best one, which is kept when rotation has taken its neighbours."""
    only_energy = sets(*SETTINGS[:2])
    assert ebmkit("run", run_file("coopnets"), *only_energy, *sets("run.keep=3")).code == 0
    folder = Path("runs/coopnets")
    assert keep_best(folder / "checkpoints", Best("kid", 0.1, 4))
    asked: tuple[Which, ...] = (4, "best", "newest")
    found = [used(folder, None, which) for which in asked]
    for which, state in zip(asked, found, strict=True):
        mean = flat(open_checkpoint(folder / "checkpoints", which).averages())
        assert {name.partition(".")[0] for name in mean} == {"energy"}
        assert all(torch.equal(state[name], value) for name, value in mean.items())
    assert same_bits(found[0], found[1])
    assert not same_bits(found[0], found[2])
    sample = ("sample", "coopnets", "--count", 2, "--checkpoint")
    assert "after iteration 4, averaged weights (energy)" in ebmkit(*sample, "best").out
    assert "after iteration 4, last weights" in ebmkit(*sample, 4, "--weights", "last").out
    for which, state in zip(asked, found, strict=True):
        assert same_bits(load("coopnets", checkpoint=which).schedule.state_dict(), state)
    with pytest.raises(CheckpointError, match="iteration, 'newest' or 'best', not 'bestt'"):
        load("coopnets", checkpoint="bestt")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="weights are 'averaged' or 'last', not 'raw'"):
        load("coopnets", weights="raw")  # type: ignore[arg-type]
    early = ebmkit(*sample, 2, "--weights", "averaged")  # nothing is averaged before the third iteration
    assert early.code == 2
    assert ebmkit(*sample, 2).code == 0
    assert "the checkpoint of iteration 2 of run coopnets has no averaged weights" in early.err


@pytest.mark.slow
def test_averages_are_judged_where_there_are_some(run_file: RunFile, ebmkit: Ebmkit) -> None:
    """While it trains and on command: the same figures, which are others than those of the last weights."""
    judged = sets(
        *('evaluation.metrics=["swd"]', "evaluation.every=1", "evaluation.count=8"),
        *("generator.optimizer.lr=3e-2", "run.output=runs/judged"),
    )
    assert ebmkit("run", run_file("coopnets"), *AVERAGED, *judged).code == 0
    inside = read_evaluations(RunFolder(Path("runs/judged")))[-1]
    assert inside.weights == "averaged weights (energy, generator)"
    for weights, same in (("averaged", True), ("last", False)):
        out = ebmkit("evaluate", "judged", "--json", "--weights", weights).out
        answer = json.loads(out)["evaluations"][0]
        assert answer["weights"].startswith(f"{weights} weights")
        assert (answer["figures"][0]["value"] == pytest.approx(inside.figures[0].value)) is same
    assert "judged, iteration 6, last weights: 8 samples" in ebmkit("evaluate", "--weights", "last").out


def test_batch_statistics_are_those_of_the_averaged_generator(run_file: RunFile, ebmkit: Ebmkit) -> None:
    """A direct re-estimate gives them, and they normalise: channels get mean 0 and spread 1."""
    assert ebmkit("run", run_file("coopnets"), *AVERAGED).code == 0
    generator = load_schedule(RunFolder(Path("runs/coopnets")))[0].generator
    assert generator is not None
    statistics = {name: each.clone() for name, each in generator.named_buffers()}
    re_estimate(generator, rng=Rng(0).fold_in("batch statistics", "generator"))
    assert same_bits(statistics, dict(generator.named_buffers()))
    norm = generator.layers[0]
    with torch.no_grad():
        given = generator.project(generator.prior(4096, rng=Rng(9))).unflatten(1, generator.base)
    standard = (given - norm.running_mean[:, None, None]) / norm.running_var[:, None, None].sqrt()
    # 256 and 4,096 draws of at least one independent number each: 5 standard errors.
    assert torch.all(standard.mean((0, 2, 3)).abs() < 5 * (1 / 256 + 1 / 4096) ** 0.5)
    assert torch.all((standard.var((0, 2, 3)) - 1).abs() < 5 * (2 / 256 + 2 / 4096) ** 0.5)


@pytest.mark.parametrize(
    "commands", [("sample", "interpolate", "complete"), pytest.param(("recover",), marks=pytest.mark.slow)]
)
def test_commands_take_which_weights(
    run_file: RunFile, ebmkit: Ebmkit, images: Path, commands: tuple[str, ...]
) -> None:
    """Each makes other pictures of the last weights; without the option those of the averaged ones."""
    fast = sets("energy.optimizer.lr=3e-2", "generator.optimizer.lr=3e-2")
    assert ebmkit("run", run_file("coopnets"), *AVERAGED, *fast).code == 0
    options = {
        "sample": ("--count", 4),
        "interpolate": ("--rows", 2, "--points", 3),
        "complete": ("--image", images / "00.png", "--count", 2),
        "recover": ("--count", 2, "--mask-size", "4", "--steps", 2),
    }
    for command in commands:
        pictures = []
        for chosen, said in (((), "averaged weights (energy, generator)"), (LAST, "last weights")):
            outcome = ebmkit(command, "coopnets", *options[command], *chosen, "--output", command)
            assert outcome.code == 0
            assert outcome.out.endswith(f"coopnets after iteration 6, {said}\n")
            pictures.append([path.read_bytes() for path in sorted(Path(command).glob("*.png"))])
        assert pictures[0] != pictures[1], command


@pytest.mark.slow
def test_a_diagnosis_takes_which_weights(run_file: RunFile, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", run_file("coopnets"), *AVERAGED).code == 0
    short = ("diagnose", "coopnets", "--chains", 2, "--steps", 8, "--warmup", 0, "--json")
    plain, averaged, last = (ebmkit(*short, *chosen).out for chosen in ((), ("--weights", "averaged"), LAST))
    assert plain == averaged != last


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("averaging = 0.99", "'energy.averaging' must be a table, got 0.99"),
        ("averaging = { decay = 1.0 }", "'decay' must be < 1"),
        ("averaging = { start = -1 }", "'start' must be >= 0"),
        ("averaging = { decai = 0.9 }", "did you mean 'decay'?"),
        ("averagin = { decay = 0.9 }", "did you mean 'averaging'?"),
    ],
)
def test_what_is_wrong_with_the_table_is_told(
    run_file: RunFile, ebmkit: Ebmkit, line: str, told: str
) -> None:
    file = run_file("coopnets")
    file.write_text(file.read_text().replace("outputs = 3", f"outputs = 3\n{line}"))
    outcome = ebmkit("check", file)
    assert outcome.code == 2
    assert told in outcome.err


def test_a_part_that_does_not_learn_has_none(run_file: RunFile, ebmkit: Ebmkit) -> None:
    outcome = ebmkit("check", run_file("coopnets"), "--set", "revision.averaging.decay=0.9")
    assert outcome.code == 2
    assert "unknown key 'averaging' for sampler 'langevin'" in outcome.err
