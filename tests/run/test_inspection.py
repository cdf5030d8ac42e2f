"""A part that returns wrong shapes, dtypes or NaN is named with its plugin and distribution: exit code 4."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.errors import PluginError
from tests.conftest import Ebmkit, Install

RunFile = Callable[[str], Path]
Odd = Callable[..., Path]

PLUGIN = """
    import torch
    from torch import nn
    from ebmkit.core import Energy, LatentGenerator, Position, Sampler
    from ebmkit.core import Source
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
def odd(install: Install, run_file: RunFile, request: pytest.FixtureRequest) -> Odd:
    """A run file that uses a part with one odd line."""

    def make(place: str, line: str, name: str = "coopnets") -> Path:
        module = f"odd_{abs(hash(request.node.name))}"
        source = PLUGIN
        for each in TABLES:
            source = source.replace(each + "\n", (line if each == place else "pass") + "\n")
        install("strange-parts", module, source, point="strange")
        table = TABLES[place]
        file = run_file(name)
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
    ("SAMPLER", "info = [1]", "not a mapping"),
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
    place: str, line: str, message: str, odd: Odd, ebmkit: Ebmkit
) -> None:
    outcome = ebmkit("check", odd(place, line))
    kind = {"revision": "sampler", "data": "source"}.get(TABLES[place], TABLES[place])
    assert outcome.code == 4, outcome.err
    assert f"error: {kind} 'odd' (plugin 'strange' of strange-parts 1.2)" in outcome.err
    assert message in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("place", TABLES)
def test_a_part_that_keeps_its_promises_is_left_alone(place: str, odd: Odd, ebmkit: Ebmkit) -> None:
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
    line: str, iteration: int, odd: Odd, ebmkit: Ebmkit
) -> None:
    outcome = ebmkit("run", odd("SAMPLER", line))
    assert outcome.code == 4, outcome.err
    owner = r"sampler 'odd' \(plugin 'strange' of strange-parts 1.2\)"
    assert re.search(rf"{owner} returned at step [1-3] a state x of", outcome.err)
    metrics = Path("runs/coopnets/metrics.jsonl")
    assert len(metrics.read_text().splitlines()) == iteration - 1 if metrics.exists() else iteration == 1


def test_an_error_in_a_plugins_code_tells_where(odd: Odd, ebmkit: Ebmkit) -> None:
    file = odd("SAMPLER", "assert len(state.x) != 7, 'out of cheese'")  # a look takes four rows
    outcome = ebmkit("run", file, "--set", "schedule.chains=7")
    assert outcome.code == 3
    assert "iteration 1 failed in sampler 'odd' (plugin 'strange' of strange-parts 1.2), " in outcome.err
    assert "AssertionError: out of cheese" in outcome.err


def line_of(file: Path, text: str) -> tuple[Path, int]:
    """Where a text stands in the plugin that a run file uses."""
    (module,) = file.parent.glob("odd_*.py")
    (number,) = (n for n, line in enumerate(module.read_text().splitlines(), 1) if text in line)
    return module, number


FAILING = [
    ("ENERGY", "raise KeyError('boom')", "coopnets", "KeyError: 'boom'"),
    ("ENERGY", "assert len(x) != 4, 'boom'", "coopnets", "AssertionError: boom"),
    ("ENERGY", "assert CALLS.append(0) or len(CALLS) < 5, 'boom'", "coopnets", "AssertionError: boom"),
    ("ENERGY", "value = value + torch.ones(3)", "coopnets", "RuntimeError: The size of tensor a"),
    ("GENERATOR", "assert not z.requires_grad, 'boom'", "coopnets-rigorous", "AssertionError: boom"),
    ("SAMPLER", "raise OSError('boom')", "coopnets", "OSError: boom"),
    ("SAMPLER", "x = x + torch.ones(3, 5)", "coopnets", "RuntimeError: The size of tensor a"),
]
OWNER = "'odd' (plugin 'strange' of strange-parts 1.2)"


@pytest.mark.parametrize("failing", FAILING, ids=[f"{each[0]}: {each[1]}" for each in FAILING])
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_part_that_fails_is_named_itself_with_its_own_line(
    command: str, failing: tuple[str, str, str, str], odd: Odd, ebmkit: Ebmkit
) -> None:
    place, line, name, message = failing
    file = odd(place, line, name)
    outcome = ebmkit(command, file)
    assert outcome.code == 4, outcome.err
    kind = {"revision": "sampler"}.get(TABLES[place], TABLES[place])
    assert outcome.err.count("(plugin ") == 1
    assert f"{kind} {OWNER}" in outcome.err
    assert message in outcome.err
    module, number = line_of(file, line)
    assert f"at {module}:{number}\n" in outcome.err
    assert "EBMKIT_DEBUG=1 shows the traceback" in outcome.err
    assert "Traceback" not in outcome.err


def test_the_traceback_is_there_for_who_asks(
    odd: Odd, ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EBMKIT_DEBUG", "1")
    with pytest.raises(PluginError) as raised:
        ebmkit("check", odd("SAMPLER", "raise OSError('boom')"))
    assert isinstance(raised.value.__cause__, OSError)


def test_what_a_class_does_not_even_have_is_told_with_the_place_of_the_class(
    odd: Odd, ebmkit: Ebmkit
) -> None:
    file = odd("GENERATOR", "pass")
    module, number = line_of(file, "class OddGenerator")
    module.write_text(module.read_text().replace("latent_shape, noise_std = (3,), 0.3", "noise_std = 0.3"))
    outcome = ebmkit("check", file)
    assert outcome.code == 4
    assert f"generator {OWNER}" in outcome.err
    assert "has no attribute 'latent_shape'" in outcome.err
    assert f"{module}:{number}\n" in outcome.err


def test_a_sampler_that_asks_about_something_else_is_the_one_to_name(odd: Odd, ebmkit: Ebmkit) -> None:
    file = odd("SAMPLER", "energy(state.x.flatten(1)[:, None])")
    outcome = ebmkit("check", file)
    assert outcome.code == 4
    assert f"error: sampler {OWNER} asks the energy about" in outcome.err
    assert "shape (4, 1, 256) on cpu, where states are torch.float32 of shape (4, 1, 16, 16)" in outcome.err


def test_of_energies_inside_an_energy_the_one_that_fails_is_named(odd: Odd, ebmkit: Ebmkit) -> None:
    file = odd("ENERGY", "assert len(x) != 4, 'boom'")
    inside = 'use = "tempered"\ntemperature = 2.0\n\n[energy.part]\nuse = "odd"'
    file.write_text(file.read_text().replace(TEXTS["energy"], f"[energy]\n{inside}"))
    outcome = ebmkit("check", file)
    assert outcome.code == 4, outcome.err
    assert f"error: energy {OWNER} raised AssertionError: boom" in outcome.err


def test_a_fast_gradient_that_fails_costs_speed_and_is_told(odd: Odd, ebmkit: Ebmkit) -> None:
    """The energy's own ``prepare`` is wrong, the energy itself is not."""
    file = odd("ENERGY", "pass")
    module, _ = line_of(file, "class OddGenerator")
    (file.parent / "elsewhere.py").write_text("def gradient(x):\n    raise IndexError('lost')\n")
    prepare = "    def prepare(self, x):\n        import elsewhere\n        return elsewhere.gradient\n"
    module.write_text(module.read_text().replace("class OddGenerator", f"{prepare}\nclass OddGenerator"))
    with pytest.warns(RuntimeWarning, match=r"\.prepare raised IndexError: lost: chains of .* autograd"):
        outcome = ebmkit("check", file)
    assert outcome.code == 0, outcome.err


def test_an_energy_that_fails_in_training_is_named_with_its_line(odd: Odd, ebmkit: Ebmkit) -> None:
    line = "assert len(x) != 7, 'out of cheese'"  # a look takes four rows
    file = odd("ENERGY", line)
    outcome = ebmkit("run", file, "--set", "schedule.chains=7")
    assert outcome.code == 3
    module, number = line_of(file, line)
    place = f"iteration 1 failed in energy {OWNER}, {module}:{number}: AssertionError: out of cheese"
    assert place in outcome.err


def test_the_looks_change_no_bit_of_the_run(
    run_file: RunFile, ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ebmkit.run.inspection import Inspector

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
