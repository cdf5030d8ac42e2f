"""The precision of a run file, from the table to the chains."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import (
    Chain,
    Energy,
    EnergyFn,
    Info,
    Precision,
    Rng,
    Sampler,
    State,
    current_precision,
    run_chain,
    value_and_gradient,
)
from ebmkit.training.precision import arithmetic, in_software, tensor_cores
from ebmkit_langevin.langevin import Langevin

CPU = torch.device("cpu")
PRECISIONS: tuple[Precision, ...] = ("fp32", "mixed", "bf16")


class Wide(Energy):
    """A perceptron with a ReLU, whose gradients bfloat16 shows in."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(20, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).sum(1)


def _error(energy: EnergyFn, x: Tensor, precision: Precision) -> float:
    sampler = Langevin(step_size=1.0, noise=False)
    with arithmetic(precision, CPU):
        moved = run_chain(sampler, energy, x, steps=1, rng=Rng(0)).x
    assert moved.dtype == torch.float32
    exact = value_and_gradient(energy, x).gradient
    return float(((x - moved) * 2 - exact).norm() / exact.norm())


def test_each_precision_costs_what_the_docs_say() -> None:
    energy, x = Wide(), Rng(0).normal(torch.empty(200, 20))
    fp32, mixed, bf16 = (_error(energy, x, each) for each in PRECISIONS)
    assert fp32 < 1e-5
    assert 5e-4 < mixed < 1e-2
    assert mixed < bf16 < 0.1


def test_an_energy_that_nobody_prepares_takes_bf16_through_autocast() -> None:
    energy, x = Wide(), Rng(0).normal(torch.empty(200, 20))
    assert _error(energy.forward, x, "mixed") < 1e-5
    assert 1e-3 < _error(energy.forward, x, "bf16") < 0.1


@attrs.frozen
class Looking(Sampler):
    """Notes in which precision it walks."""

    seen: list[Any]

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[State, Info]:
        self.seen.append((current_precision(), torch.is_autocast_enabled("cpu")))
        return state, {}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_states_and_samplers_stay_out_of_autocast(precision: Precision) -> None:
    seen: list[Any] = []
    with arithmetic(precision, CPU):
        Chain(Looking(seen), 2)(lambda x: x.square().sum(1), torch.zeros(1, 2), rng=Rng(0))
        assert torch.is_autocast_enabled("cpu") == (precision == "bf16")
    assert seen == [(precision, False)] * 2
    assert current_precision() == "fp32"


NEW = "the switches of torch 2.9 and later"
HAS_NEW = hasattr(torch.backends.cudnn, "conv")


@pytest.mark.skipif(HAS_NEW, reason="torch has other switches")
@pytest.mark.parametrize(("precision", "allowed"), [("fp32", False), ("mixed", True), ("bf16", True)])
def test_a_gpu_uses_tf32_where_the_precision_allows_it(precision: Precision, allowed: bool) -> None:
    """The switches are there without a GPU."""

    def switches() -> list[bool]:
        return [torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32]

    before = switches()
    with tensor_cores(precision, torch.device("cuda")):
        assert switches() == [allowed, allowed]
    assert switches() == before


def precisions() -> list[str]:
    cudnn: Any = torch.backends.cudnn
    return [each.fp32_precision for each in (cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul)]


@pytest.mark.skipif(not HAS_NEW, reason=NEW)
@pytest.mark.parametrize(("precision", "set_to"), [("fp32", "ieee"), ("mixed", "tf32"), ("bf16", "tf32")])
def test_a_gpu_computes_in_tf32_where_the_precision_allows_it(precision: Precision, set_to: str) -> None:
    """Whoever reads the older switches before and after gets an answer, also after a failure."""
    before, allowed = precisions(), torch.backends.cudnn.allow_tf32

    def fail() -> None:
        with tensor_cores(precision, torch.device("cuda")):
            assert precisions() == [set_to] * 3
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert precisions() == before
    assert torch.backends.cudnn.allow_tf32 == allowed


SET_BEFORE = """
import torch
from ebmkit.training.precision import tensor_cores

top, cudnn, matmul = torch.backends, torch.backends.cudnn, torch.backends.cuda.matmul
switches = cudnn.conv, cudnn.rnn, matmul

def precisions():
    return [each.fp32_precision for each in switches]

def reset():
    top.fp32_precision = cudnn.fp32_precision = matmul.fp32_precision = "none"
    cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision = "tf32"

def followers():
    top.fp32_precision = "tf32" if top.fp32_precision == "ieee" else "ieee"
    return precisions()

for case in (
    "cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision = matmul.fp32_precision = 'ieee'",
    "cudnn.conv.fp32_precision = 'ieee'",
    "matmul.fp32_precision = 'tf32'",
    "cudnn.fp32_precision = 'ieee'",
    "top.fp32_precision = 'ieee'",
    "top.fp32_precision = cudnn.conv.fp32_precision = 'tf32'",
    "top.fp32_precision = 'ieee'; cudnn.conv.fp32_precision = 'none'",
    "matmul.allow_tf32 = True",
):
    reset()
    exec(case)
    before, follow = precisions(), followers()
    reset()
    exec(case)
    for precision, value in ("fp32", "ieee"), ("mixed", "tf32"):
        with tensor_cores(precision, torch.device("cuda")):
            assert precisions() == [value] * 3, (case, precisions())
        assert precisions() == before, (case, before, precisions())
    print(case, "follow" if followers() == follow else "stay", sep=": ")
"""


@pytest.mark.skipif(not HAS_NEW, reason=NEW)
def test_switches_that_a_user_set_before_are_his_again_after() -> None:
    """In a process of its own, because torch remembers what was set. What inherits goes on inheriting."""
    command = [sys.executable, "-c", SET_BEFORE]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 8
    # One case cannot be told from another: a switch that says the same as the one above it, by itself.
    assert [line for line in lines if not line.endswith(": follow")] == [
        "top.fp32_precision = cudnn.conv.fp32_precision = 'tf32': stay"
    ]


def test_fp32_and_gpus_are_never_said_to_run_in_software() -> None:
    assert not in_software("fp32", CPU)
    assert not in_software("bf16", torch.device("cuda"))
