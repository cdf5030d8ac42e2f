"""A stranger's schedule names the parts it wants, and run files have tables for them, ebmkit as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ebmkit.config.keys import keys_of
from ebmkit.parameters.signature import signature_of
from ebmkit.registry.discovery import Registry
from tests.conftest import Ebmkit, Install

PLUGIN = """
    from collections.abc import Mapping
    from typing import Annotated

    from torch import nn
    from ebmkit.core import Chain, CooperativeScheduler, Energy, Examples, Gt, Proposal, Update
    from ebmkit.core import contrastive_divergence
    from ebmkit.plugin import hookimpl


    class Coarse(Energy):
        '''The mean over squares under a weight.

        Args:
            pool: side of a square.
        '''

        def __init__(self, shape, *, pool: Annotated[int, Gt(0)] = 4):
            super().__init__()
            self.pool, self.weight = nn.AvgPool2d(pool), nn.Linear(shape[1] * shape[2] // pool**2, 1)

        def forward(self, x):
            return x.square().flatten(1).sum(1) - self.weight(self.pool(x).flatten(1)).squeeze(1)


    class Pyramid(CooperativeScheduler):
        '''Several energies, from coarse to fine, each taught by the same chain.

        Args:
            chains: samples an iteration.
        '''

        def __init__(
            self,
            energy: Energy,
            coarse: Energy | None,
            grids: Mapping[str, Energy],
            refinement: Chain,
            shape,
            *,
            chains: Annotated[int, Gt(0)] = 4,
        ):
            super().__init__()
            self.energy, self.coarse, self.refinement = energy, coarse, refinement
            self.grids, self.chains, self.shape = nn.ModuleDict(grids), chains, shape

        def propose(self, count, *, rng):
            return Proposal(rng.normal(next(self.energy.parameters()).new_empty(count, *self.shape)))

        def updates(self, batch, *, rng):
            x = self.propose(self.chains, rng=rng.fold_in('start')).x
            for name in ('coarse', *(f'grids.{each}' for each in self.grids), 'energy'):
                energy = self.get_submodule(name)
                x = self.refinement(energy, x, rng=rng.fold_in(name)).x
                yield Update(name, contrastive_divergence(energy(batch.x), energy(x)))
            return Examples(observed=batch.x, revised=x)


    @hookimpl
    def ebmkit_energies():
        return {"coarse": "MODULE:Coarse"}

    @hookimpl
    def ebmkit_schedulers():
        return {"pyramid": "MODULE:Pyramid"}
"""
RUN = """
[run]
iterations = 4
checkpoint_every = 2
device = "cpu"

[data]
use = "folder"
path = "{images}"
size = 16
color = false
batch = 3

[energy]
use = "coarse"
pool = 2

[coarse]
use = "coarse"
optimizer = {{ use = "sgd", lr = 1e-3 }}

[grids.4]
use = "coarse"
pool = 4

[grids.8]
use = "coarse"
pool = 8

[refinement]
use = "langevin"
step_size = 0.05
steps = 2

[schedule]
use = "pyramid"
"""

File = Callable[[str], Path]


@pytest.fixture
def file(install: Install, tmp_path: Path, images: Path, request: pytest.FixtureRequest) -> File:
    """Write a run file of the stranger's schedule."""
    module = f"pyramid_{abs(hash(request.node.name))}"
    install("pyramids", module, PLUGIN.replace("MODULE", module), point="pyramids")

    def write(text: str = RUN, name: str = "pyramid") -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(text.format(images=images))
        return path

    return write


def test_the_schedule_trains_its_parts_with_an_optimizer_each(file: File, ebmkit: Ebmkit) -> None:
    outcome = ebmkit("run", file(RUN))
    assert outcome.code == 0, outcome.err
    lines = [json.loads(line) for line in Path("runs/pyramid/metrics.jsonl").read_text().splitlines()]
    losses = {"loss_energy", "loss_coarse", "loss_grids.4", "loss_grids.8"}
    assert losses <= lines[-1].keys()
    weights = Path("runs/pyramid/checkpoints/iteration-0000004")
    first = load_file(next(Path("runs/pyramid/checkpoints").glob("*2/coarse.safetensors")))
    last = load_file(weights / "coarse.safetensors")
    assert not torch.equal(first["weight.weight"], last["weight.weight"])
    assert {"4.weight.weight", "8.weight.weight"} <= load_file(weights / "grids.safetensors").keys()


def test_a_resumed_run_has_the_bits_of_one_that_never_stopped(file: File, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", file(RUN)).code == 0
    file(RUN, "stopped")
    assert ebmkit("run", "stopped.toml", "--set", "run.iterations=2").code == 0
    assert ebmkit("resume", "stopped", "--set", "run.iterations=4").code == 0
    for whole in Path("runs/pyramid/checkpoints/iteration-0000004").glob("*.safetensors"):
        again = Path("runs/stopped/checkpoints/iteration-0000004") / whole.name
        one, other = load_file(whole), load_file(again)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one), whole.name


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("[coarse]", "[corse]", "unknown table [corse]"),
        ("[grids.4]\nuse", "[grids.4]\nues", "did you mean 'use'?"),
        ('[grids.4]\nuse = "coarse"', '[grids.4]\nuse = "corse"', "did you mean 'coarse'?"),
        ("pool = 8", "poll = 8", "did you mean 'pool'?"),
        ("pool = 8", "pool = 0", "'pool' must be > 0"),
        ("step_size", "stepsize", "did you mean 'step_size'?"),
        ('[refinement]\nuse = "langevin"', '[refinement]\nuse = "coarse"', "no sampler named 'coarse'"),
        ('optimizer = {{ use = "sgd"', 'optimizer = {{ use = "sdg"', "did you mean 'sgd'?"),
    ],
)
def test_mistakes_in_their_tables_are_told_at_their_line(
    file: File, ebmkit: Ebmkit, right: str, wrong: str, said: str
) -> None:
    assert right in RUN
    text = RUN.replace(right, wrong)
    outcome = ebmkit("check", file(text))
    assert outcome.code in (2, 4)
    assert said in outcome.err
    line = text[: text.index(wrong)].count("\n") + 1
    lines = range(line, line + wrong.count("\n") + 1)
    assert any(f"pyramid.toml:{each}:" in outcome.err for each in lines), outcome.err


def test_missing_and_needless_tables_are_told(file: File, ebmkit: Ebmkit) -> None:
    without = RUN[: RUN.index("[grids.4]")] + RUN[RUN.index("[refinement]") :]
    outcome = ebmkit("check", file(without))
    assert "scheduler 'pyramid' needs the part 'grids': add a table [grids.NAME]" in outcome.err
    outcome = ebmkit("check", file(RUN + '\n[generator]\nuse = "generator"\n'))
    assert "scheduler 'pyramid' takes no part 'generator'" in outcome.err
    assert "it takes: energy, coarse, grids, refinement" in outcome.err
    assert "= help: --unset generator leaves it out for once" in outcome.err


def test_a_part_cannot_be_called_by_a_name_with_a_dot(file: File, ebmkit: Ebmkit) -> None:
    text = RUN.replace("[grids.4]", '[grids."1.5"]')
    outcome = ebmkit("check", file(text))
    assert outcome.code == 2
    assert "error[E102]: a part of [grids] cannot be called '1.5': its name holds a dot" in outcome.err
    assert f"pyramid.toml:{text[: text.index('[grids.')].count(chr(10)) + 1}:" in outcome.err


def test_their_keys_are_completed_and_shown(file: File, ebmkit: Ebmkit) -> None:
    import tomllib

    keys = keys_of(tomllib.loads(file(RUN).read_text()), Registry.discover())
    assert keys["grids.8.use"] == keys["coarse.use"] == "energy"
    assert keys["refinement.use"] == "sampler"
    assert keys["grids.8.pool"] is int
    assert {"coarse.optimizer.lr", "grids.4.optimizer.lr", "refinement.steps"} <= keys.keys()
    assert "refinement.optimizer.lr" not in keys
    shown = ebmkit("plugins", "show", "scheduler/pyramid").out
    assert all(name in shown for name in ("coarse", "grids", "refinement"))


def test_an_annotation_is_read_alike_with_and_without_importing_it(file: File) -> None:
    file(RUN)
    component = Registry.discover().find("scheduler", "pyramid")
    assert component.signature == signature_of(component.factory)
    slots = {slot.name: (slot.lineage[:1], slot.many) for slot in component.signature.parts}
    assert slots["grids"] == (("ebmkit.core.energy:Energy",), True)
    assert slots["coarse"] == (("ebmkit.core.energy:Energy",), False)
    assert slots["refinement"] == (("ebmkit.core.chain:Chain",), False)
    assert slots["shape"] == ((), False)


def test_the_kit_builds_their_parts_by_kind_and_name(file: File, ebmkit: Ebmkit) -> None:
    file(RUN)
    outcome = ebmkit("plugins", "check", "scheduler/pyramid", "--json")
    checks = {each["check"]: each for each in json.loads(outcome.out)["checks"]}
    assert checks["updates"]["outcome"] == "passed", outcome.out
    assert checks["updates"]["detail"].endswith("grids.one, grids.other, energy")
