"""A part that returns wrong shapes, dtypes or NaN is named with its plugin and distribution: exit code 4."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ebmkit, Install

RunFile = Callable[[str], Path]

PLUGIN = """
    import torch
    from torch import nn
    from ebmkit.core import Energy, LatentGenerator, Position, Sampler
    from ebmkit.data import Source
    from ebmkit.plugin import hookimpl

    CALLS = []

    class OddSampler(Sampler):
        '''Odd.'''
        def step(self, energy, state, rng):
            CALLS.append(len(state.x))
            x, info = state.x + 0.01 * rng.normal(state.x), {}
            SAMPLER
            return Position(x), info

    class OddEnergy(Energy):
        '''Odd.'''
        def __init__(self, shape):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))
        def forward(self, x):
            value = self.weight * x.square().flatten(1).sum(1)
            ENERGY
            return value

    class OddGenerator(LatentGenerator):
        '''Odd.'''
        latent_shape, noise_std = (3,), 0.3
        def __init__(self, shape):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))
            self.shape = shape
        def forward(self, z):
            x = (self.weight * z.mean(1)).reshape(-1, 1, 1, 1).expand(-1, *self.shape)
            GENERATOR
            return x

    class OddSource(Source):
        '''Odd.'''
        shape = (1, 16, 16)
        def __len__(self):
            return 20
        def __getitem__(self, index):
            x = (torch.as_tensor(index) / 20).view(-1, 1, 1, 1).repeat(1, 1, 16, 16)
            SOURCE
            return x

    @hookimpl
    def ebmkit_samplers():
        return {"odd": OddSampler}

    @hookimpl
    def ebmkit_energies():
        return {"odd": OddEnergy}

    @hookimpl
    def ebmkit_generators():
        return {"odd": OddGenerator}

    @hookimpl
    def ebmkit_sources():
        return {"odd": OddSource}
"""
TABLES = {"SAMPLER": "revision", "ENERGY": "energy", "GENERATOR": "generator", "SOURCE": "data"}
TEXTS = {
    "revision": '[revision]\nuse = "odd"\nsteps = 3',
    "energy": '[energy]\nuse = "odd"',
    "generator": '[generator]\nuse = "odd"',
    "data": '[data]\nuse = "odd"\nbatch = 5',
}


@pytest.fixture
def odd(install: Install, run_file: RunFile, request: pytest.FixtureRequest) -> Callable[[str, str], Path]:
    """A run file that uses a part with one odd line."""

    def make(place: str, line: str) -> Path:
        module = f"odd_{abs(hash(request.node.name))}"
        source = PLUGIN
        for each in TABLES:
            source = source.replace(each + "\n", (line if each == place else "pass") + "\n")
        install("strange-parts", module, source, point="strange")
        table = TABLES[place]
        file = run_file("coopnets")
        before, _, rest = file.read_text().partition(f"[{table}]")
        after = rest[rest.index("\n[") :]
        file.write_text(before + TEXTS[table] + "\n" + after)
        return file

    return make


FAULTS = [
    ("SAMPLER", "x = x[:, None]", "shape (4, 1, 1, 16, 16), where (4, 1, 16, 16) is promised"),
    ("SAMPLER", "x = x[:-1]", "shape (3, 1, 16, 16), where (4, 1, 16, 16)"),
    ("SAMPLER", "x = x.double()", "dtype torch.float64, where torch.float32"),
    ("SAMPLER", "x = x / 0", "not finite"),
    ("SAMPLER", "x = x * (float('nan') if len(CALLS) == 2 else 1)", "at step 2"),
    ("SAMPLER", "x = state.x.add_(1)", "changed the x that it was given"),
    ("SAMPLER", "info = {'rate': 0.5}", "watches 'rate' with a float, not a tensor"),
    ("SAMPLER", "info = [1]", "no mapping"),
    ("SAMPLER", "x = None", "without a tensor x"),
    ("SAMPLER", "raise IndexError('oh')", "raised IndexError: oh"),
    ("ENERGY", "value = value[:, None]", "returned shape (2, 1)"),
    ("ENERGY", "value = value.sum()", "returned shape ()"),
    ("ENERGY", "value = value.sqrt() * 0 / 0", "not finite"),
    ("ENERGY", "value = value.detach()", "raised RuntimeError"),
    ("ENERGY", "value = value.long()", "dtype torch.int64, where a floating-point type"),
    ("GENERATOR", "x = x.double()", "dtype torch.float64, where torch.float32"),
    ("GENERATOR", "x = x.log() * float('nan')", "not finite"),
    ("SOURCE", "x = x.double()", "dtype torch.float64, where torch.float32"),
    ("SOURCE", "x = (255 * x).byte()", "dtype torch.uint8, where torch.float32"),
    ("SOURCE", "x = x[..., :8]", "shape (4, 1, 16, 8), where (4, 1, 16, 16)"),
    ("SOURCE", "x[0, 0, 0, 0] = float('nan')", "not finite"),
]


@pytest.mark.parametrize(("place", "line", "message"), FAULTS)
def test_a_broken_promise_is_named_before_anything_is_trained(
    place: str, line: str, message: str, odd: Callable[[str, str], Path], ebmkit: Ebmkit
) -> None:
    outcome = ebmkit("check", odd(place, line))
    kind = {"revision": "sampler", "data": "source"}.get(TABLES[place], TABLES[place])
    assert outcome.code == 4, outcome.err
    assert f"error: {kind} 'odd' (plugin 'strange' of strange-parts 1.2)" in outcome.err
    assert message in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("place", TABLES)
def test_a_part_that_keeps_its_promises_is_left_alone(
    place: str, odd: Callable[[str, str], Path], ebmkit: Ebmkit
) -> None:
    outcome = ebmkit("run", odd(place, "pass"), "--set", "run.iterations=2")
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize(
    ("line", "iteration"),
    [
        ("x = x[:, 0] if len(CALLS) > 8 else x", 1),  # between two looks: the training itself fails first
        ("x = x.double() if len(CALLS) > 12 else x", 2),  # works, twice as slow: seen by the look after it
    ],
)
def test_a_promise_broken_later_is_named_while_it_trains(
    line: str, iteration: int, odd: Callable[[str, str], Path], ebmkit: Ebmkit
) -> None:
    outcome = ebmkit("run", odd("SAMPLER", line))
    assert outcome.code == 4, outcome.err
    owner = r"sampler 'odd' \(plugin 'strange' of strange-parts 1.2\)"
    assert re.search(rf"{owner} returned at step [1-3] a state x of", outcome.err)
    metrics = Path("runs/coopnets/metrics.jsonl")
    assert len(metrics.read_text().splitlines()) == iteration - 1 if metrics.exists() else iteration == 1


def test_an_error_in_a_plugins_code_tells_where(odd: Callable[[str, str], Path], ebmkit: Ebmkit) -> None:
    file = odd("SAMPLER", "assert len(state.x) != 7, 'out of cheese'")  # a look takes four rows
    outcome = ebmkit("run", file, "--set", "schedule.chains=7")
    assert outcome.code == 3
    assert "iteration 1 failed in sampler 'odd' (plugin 'strange' of strange-parts 1.2), " in outcome.err
    assert "AssertionError: out of cheese" in outcome.err


def test_the_looks_change_no_bit_of_the_run(
    run_file: RunFile, ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ebmkit.inspection import Inspector

    file = run_file("coopnets-rigorous")
    ebmkit("run", file, "--set", "run.output=looked")
    monkeypatch.setattr(Inspector, "examine", lambda *_, **__: None)
    ebmkit("run", file, "--set", "run.output=unlooked")
    for name in ("energy", "generator"):
        (one,), (other,) = (
            list(Path(run).glob(f"checkpoints/iteration-0000006/*{name}*.safetensors"))[:1]
            for run in ("looked", "unlooked")
        )
        assert one.read_bytes() == other.read_bytes()
