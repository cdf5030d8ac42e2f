"""Which weights are used, and how that is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ebmkit.errors import ConfigError
from ebmkit.run.weights import Weights, averages_of, described, weights_said
from ebmkit.storage.checkpoint import Checkpoint
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]

PLAIN = Checkpoint(600, {"energy": {"w": torch.ones(1)}})
AVERAGED = Checkpoint(
    600,
    {
        "energy": {"w": torch.ones(1)},
        "generator": {"v": torch.ones(1)},
        "averaged": {
            "energy/updates": torch.tensor(3),
            "energy/of.w": torch.full((1,), 2.0),
            "generator/updates": torch.tensor(3),
            "generator/of.v": torch.full((1,), 3.0),
        },
    },
)


def test_averaged_weights_that_nobody_kept_cannot_be_used(run_file: RunFile, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", run_file("coopnets")).code == 0
    outcome = ebmkit("sample", "coopnets", "--weights", "averaged")
    assert outcome.code == 2
    assert "run coopnets has no averaged weights: take --weights last" in outcome.err


@pytest.mark.parametrize("asked", ["averaged", None])
def test_averages_are_used_where_there_are_some_unless_the_last_ones_are_asked_for(
    asked: Weights | None,
) -> None:
    found = averages_of(AVERAGED, asked, run="it")
    assert {part: {name: float(each) for name, each in of.items()} for part, of in found.items()} == {
        "energy": {"w": 2.0},
        "generator": {"v": 3.0},
    }
    assert averages_of(AVERAGED, "last", run="it") == {}
    assert averages_of(PLAIN, None, run="it") == averages_of(PLAIN, "last", run="it") == {}


def test_averages_that_are_asked_for_have_to_be_there() -> None:
    with pytest.raises(
        ConfigError, match=r"^the checkpoint of iteration 600 of run it has no averaged weights: "
    ):
        averages_of(PLAIN, "averaged", run="it")


@pytest.mark.parametrize("asked", ["avg", "", "Averaged"])
def test_other_weights_there_are_not(asked: str) -> None:
    with pytest.raises(ConfigError, match=f"weights are 'averaged' or 'last', not '{asked}'"):
        averages_of(AVERAGED, asked, run="it")  # type: ignore[arg-type]


def test_it_is_said_which_were_used() -> None:
    assert described(AVERAGED, None) == "iteration 600, averaged weights (energy, generator)"
    assert described(AVERAGED, "last") == described(PLAIN, None) == "iteration 600, last weights"
    assert weights_said(["energy"]) == "averaged weights (energy)"
    assert weights_said([]) == "last weights"
