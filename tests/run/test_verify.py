"""A fast gradient turns wrong in a run, which ends if it is compared: exit code 1, and the place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ebmkit, Install

PLUGIN = """
    import torch
    from torch import nn
    from ebmkit.core import Energy, ValueAndGradient
    from ebmkit.plugin import hookimpl

    class Turning(Energy):
        '''Right for the first gradients, as long as somebody looks.'''
        asked = 0

        def __init__(self, shape):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return self.weight * x.square().flatten(1).sum(1)

        def prepare(self, x):
            def gradient(x):
                Turning.asked += 1
                factor = 2 if Turning.asked <= 30 else 3
                return ValueAndGradient(self(x).detach(), factor * self.weight.detach() * x)
            return gradient

    @hookimpl
    def ebmkit_energies():
        return {"turning": Turning}
"""


@pytest.fixture
def turning(install: Install, run_file: Callable[[str], Path], request: pytest.FixtureRequest) -> Path:
    """A run file whose energy knows its gradient, until it does not."""
    module = f"turning_{abs(hash(request.node.name))}"
    install("turning-parts", module, PLUGIN, point="turning")
    file = run_file("coopnets")
    before, _, rest = file.read_text().partition("[energy]")
    rest = rest[rest.index("\n[") :]
    file.write_text(f'{before}[energy]\nuse = "turning"\n{rest}')
    return file


@pytest.mark.parametrize("how", ["the run file", "the environment"])
def test_a_wrong_gradient_ends_the_run_with_its_place(
    turning: Path, ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    asked = ("--set", "run.verify=always") if how == "the run file" else ()
    if how == "the environment":
        monkeypatch.setenv("EBMKIT_VERIFY", "1")
    outcome = ebmkit("run", turning, "--set", "run.iterations=200", *asked)
    assert outcome.code == 1, outcome.err
    assert "error: iteration " in outcome.err
    assert "the gradient that Turning.prepare computes for Turning (" in outcome.err
    assert ".py:" in outcome.err
    assert "is not autograd's: its gradient is off by 0.5 of its size" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_right_run_has_the_bits_that_it_has_unverified(
    run_file: Callable[[str], Path], ebmkit: Ebmkit
) -> None:
    from safetensors.torch import load_file

    file = run_file("coopnets")
    assert ebmkit("run", file).code == 0
    assert ebmkit("run", file, "--set", "run.verify=always", "--set", "run.output=runs/verified").code == 0
    weights = [
        load_file(max(Path(run).glob("checkpoints/*/energy.safetensors")))
        for run in ("runs/coopnets", "runs/verified")
    ]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
