"""Energies composed in run files: of parts that learn, and of what other runs trained."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from ebmkit.config import ConfigProblemsError, read_document
from ebmkit.config.plan import make_plan
from ebmkit.core import Clamped, Mixture, Sum, Tempered, value_and_gradient
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from tests.conftest import ENERGY, REVISION, SHARED, Ebmkit

DESCRIPTOR = ENERGY.partition('use = "descriptor"')[2].partition("optimizer")[0]
SAMPLING = '[schedule]\nuse = "sampling"\nchains = 4\nnoise_std = 0.3\n'
TWO_RUNS = """
[energy]
use = "sum"

[energy.parts.near]
use = "from-run"
run = "first"

[energy.parts.far]
use = "from-run"
run = "second"
weight = 0.5
"""

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, images: Path) -> Write:
    def write(name: str, text: str) -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(text.replace("{images}", str(images)))
        return path

    return write


@pytest.fixture
def trained(ebmkit: Ebmkit, write: Write) -> None:
    """Two runs, ``first`` and ``second``, of two iterations and other seeds."""
    text = SHARED + ENERGY + REVISION + '[schedule]\nuse = "descriptor-only"\nchains = 4\n'
    for seed, name in enumerate(("first", "second")):
        code, _, err = ebmkit(
            "run", write(name, text), "--set", f"run.seed={seed}", "--set", "run.iterations=2"
        )
        assert code == 0, err


def energy_of(file: Path) -> torch.nn.Module:
    experiment = build_experiment(make_plan(read_document(file), Registry.discover()))
    return experiment.schedule.get_submodule("energy")


def weights_of(run: Path, part: str = "energy") -> dict[str, torch.Tensor]:
    (checkpoint,) = sorted((run / "checkpoints").glob("iteration-*"))[-1:]
    return safetensors.torch.load_file(checkpoint / f"{part}.safetensors")


@pytest.mark.usefixtures("trained")
def test_the_sum_of_two_runs_is_the_sum_of_their_energies(write: Write) -> None:
    whole = energy_of(write("both", SHARED + TWO_RUNS + REVISION + SAMPLING))
    assert isinstance(whole, Sum)
    assert whole.weights == (1.0, 0.5)
    near, far = (each.energy for each in whole.energies)
    for energy, name in ((near, "first"), (far, "second")):
        saved = weights_of(Path("runs") / name)
        assert all(torch.equal(value, saved[key]) for key, value in energy.state_dict().items())
        assert not any(parameter.requires_grad for parameter in energy.parameters())
    x = torch.rand(3, 1, 16, 16)
    assert torch.allclose(whole(x), near(x) + 0.5 * far(x))


@pytest.mark.usefixtures("trained")
def test_a_composition_is_sampled_stopped_and_resumed_to_the_bit(ebmkit: Ebmkit, write: Write) -> None:
    file = write("both", SHARED + TWO_RUNS + REVISION + SAMPLING)
    code, out, err = ebmkit("run", file)
    assert code == 0, err
    assert "sum" in out
    whole = weights_of(Path("runs/both"), "replay")
    lines = [json.loads(line) for line in Path("runs/both/metrics.jsonl").read_text().splitlines()]
    assert all("revision_drift" in line and "loss_energy" not in line for line in lines)
    assert ebmkit("run", file, "--set", "run.output=runs/half", "--set", "run.iterations=3").code == 0
    # The run has its own copy of the weights: what becomes of the others does not change it.
    assert ebmkit("resume", "first", "--set", "run.iterations=4").code == 0
    assert ebmkit("resume", "half", "--set", "run.iterations=6").code == 0
    assert torch.equal(weights_of(Path("runs/half"), "replay")["samples"], whole["samples"])
    assert ebmkit("sample", "both", "--count", 3).code == 0
    config = tomllib.loads(Path("runs/both/config.toml").read_text())
    assert config["energy"]["parts"]["far"] == {
        "use": "from-run",
        "weight": 0.5,
        "run": "second",
        "learn": False,
    }


@pytest.mark.usefixtures("trained")
def test_a_new_part_learns_beside_a_frozen_one(ebmkit: Ebmkit, write: Write) -> None:
    energy = (
        '[energy]\nuse = "sum"\noptimizer = { use = "adam", lr = 1e-3 }\n'
        '[energy.parts.old]\nuse = "from-run"\nrun = "first"\n'
        '[energy.parts.new]\nuse = "descriptor"\n' + DESCRIPTOR
    )
    file = write("more", SHARED + energy + REVISION + '[schedule]\nuse = "descriptor-only"\nchains = 4\n')
    start = energy_of(file).state_dict()
    code, _, err = ebmkit("run", file)
    assert code == 0, err
    end = weights_of(Path("runs/more"))
    changed = {key for key, value in start.items() if not torch.equal(value, end[key])}
    assert changed
    assert all(key.startswith("energies.1.") for key in changed)


@pytest.mark.usefixtures("trained")
def test_teaching_an_energy_that_does_not_learn_is_refused(ebmkit: Ebmkit, write: Write) -> None:
    file = write("frozen", SHARED + TWO_RUNS + REVISION + '[schedule]\nuse = "descriptor-only"\nchains = 4\n')
    code, _, err = ebmkit("run", file)
    assert code == 2
    assert "no weight of it learns" in err


def test_parts_inside_parts_have_weights_of_their_own_seeds(write: Write) -> None:
    text = (
        '[energy]\nuse = "mixture"\n'
        '[energy.parts.a]\nuse = "tempered"\ntemperature = 2.0\n'
        '[energy.parts.a.part]\nuse = "descriptor"\n' + DESCRIPTOR + '[energy.parts.b]\nuse = "descriptor"\n'
        "weight = 3.0\n" + DESCRIPTOR
    )
    whole = energy_of(write("nested", SHARED + text + REVISION + SAMPLING))
    assert isinstance(whole, Mixture)
    a, b = whole.energies
    assert isinstance(a, Tempered)
    assert a.temperature == 2.0
    assert not torch.equal(a.part.head.weight, b.head.weight)
    again = energy_of(write("nested", SHARED + text + REVISION + SAMPLING))
    assert all(torch.equal(x, y) for x, y in zip(whole.parameters(), again.parameters(), strict=True))


def test_conditional_sampling_holds_every_observed_bit_and_moves_the_others(
    ebmkit: Ebmkit, write: Write
) -> None:
    file = write("held", SHARED + ENERGY + REVISION + SAMPLING + 'hidden = "square"\nhidden_size = 6\n')
    code, _, err = ebmkit("run", file)
    assert code == 0, err
    state = weights_of(Path("runs/held"), "schedule") | weights_of(Path("runs/held"), "replay")
    known = (state["masks"] > 0).expand_as(state["samples"])
    assert (~known).flatten(1).sum(1).tolist() == [36] * 4
    assert torch.equal(state["samples"][known], state["observed"][known])
    assert not torch.isclose(state["samples"][~known], state["observed"][~known]).any()


MISTAKES = {
    "misspelt key": (
        '[energy]\nuse = "negated"\n[energy.part]\nuse = "descriptor"\nreference_sdt = 0.3\n',
        ("E103", "reference_sdt", "reference_std"),
    ),
    "misspelt part": (
        '[energy]\nuse = "sum"\n[energy.parts.a]\nuse = "descriptr"\n',
        ("E107", '"descriptr"', "descriptor"),
    ),
    "weight of the wrong type": (
        '[energy]\nuse = "sum"\n[energy.parts.a]\nuse = "descriptor"\nweight = "much"\n',
        ("E104", '"much"', "a number"),
    ),
    "out of range three tables down": (
        '[energy]\nuse = "sum"\n[energy.parts.a]\nuse = "negated"\n[energy.parts.a.part]\nuse = "tempered"\n'
        'temperature = -1.0\n[energy.parts.a.part.part]\nuse = "descriptor"\n',
        ("E105", "-1.0", "> 0"),
    ),
    "no parts": ('[energy]\nuse = "sum"\n', ("E106", '"sum"', "[energy.parts.NAME]")),
    "no part": ('[energy]\nuse = "negated"\n', ("E106", '"negated"', "[energy.part]")),
    "part without use": (
        '[energy]\nuse = "sum"\n[energy.parts.a]\nweight = 2.0\n',
        ("E106", "a", "missing key 'use' in [energy.parts.a]"),
    ),
    "a value for a table": ('[energy]\nuse = "negated"\npart = "descriptor"\n', ("E104", "part", "a table")),
    "an optimizer inside": (
        '[energy]\nuse = "sum"\n[energy.parts.a]\nuse = "descriptor"\noptimizer = { lr = 0.1 }\n',
        ("E103", "optimizer", "unknown key"),
    ),
    "a part where none belongs": (
        '[energy]\nuse = "descriptor"\n[energy.part]\nuse = "descriptor"\n',
        ("E103", "part", "unknown key"),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_nested_tables_have_their_place(write: Write, mistake: str) -> None:
    text, (code, marked, said) = MISTAKES[mistake]
    file = write("wrong", text + SHARED + REVISION + SAMPLING)
    with pytest.raises(ConfigProblemsError) as refused:
        make_plan(read_document(file), Registry.discover())
    (problem,) = refused.value.problems
    assert problem.code == code
    assert problem.line is not None
    assert problem.source_line == file.read_text().splitlines()[problem.line - 1]
    assert problem.source_line[problem.column - 1 :][: problem.length] == marked
    assert said in " ".join((problem.message, problem.label, *problem.helps))


@pytest.mark.usefixtures("trained")
def test_runs_that_cannot_be_used_are_named_with_their_place(ebmkit: Ebmkit, write: Write) -> None:
    text = SHARED + TWO_RUNS + REVISION + SAMPLING
    code, _, err = ebmkit("check", write("wrong", text.replace('"second"', '"secnd"')))
    assert code == 2
    assert "E111" in err
    assert "runs here: second, first" in err
    assert '| run = "secnd"' in err
    code, _, err = ebmkit("check", write("wrong", text), "--set", "data.size=32")
    assert code == 2
    assert "weights for examples of shape (1, 16, 16), not for (1, 32, 32)" in err
    shutil.rmtree(Path("runs/second/checkpoints"))
    code, _, err = ebmkit("check", write("wrong", text))
    assert code == 2
    assert "no checkpoint in" in err


@pytest.mark.usefixtures("trained")
def test_a_run_made_of_itself_is_refused(ebmkit: Ebmkit, write: Write) -> None:
    assert ebmkit("run", write("both", SHARED + TWO_RUNS + REVISION + SAMPLING)).code == 0
    shutil.rmtree("runs/first")
    shutil.move("runs/both", "runs/first")
    code, _, err = ebmkit("resume", "first", "--set", "run.iterations=9")
    assert code == 2
    assert "made of itself" in err


def test_clamped_energies_compose_with_the_others() -> None:
    x = torch.rand(2, 3, dtype=torch.float64)
    mask = torch.tensor([1.0, 0.0, 0.0])
    energy = Clamped(Tempered(lambda y: y.square().sum(1), temperature=2.0), x, mask)
    assert torch.equal(
        value_and_gradient(energy, torch.ones(2, 3, dtype=torch.float64)).gradient[:, 0], x[:, 0] * 0
    )
