from __future__ import annotations

import subprocess
import sys

import pytest

from ebmkit.parameters.outline import outline
from ebmkit.parameters.records import Annealing, LossAugmentation, Ramp
from ebmkit.parameters.signature import signature_of
from ebmkit_coopnets.coopnets import CoopNets


def test_a_linear_ramp_written_out() -> None:
    ramp = Ramp(start=1.0, end=0.2, after=3, over=4)
    assert [round(ramp.at(k), 12) for k in range(9)] == [1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2]


def test_an_exponential_ramp_falls_by_the_same_factor_each_iteration() -> None:
    ramp = Ramp(start=4.0, end=0.25, after=1, over=4, shape="exponential")
    assert [ramp.at(k) for k in range(7)] == pytest.approx([4, 4, 2, 1, 0.5, 0.25, 0.25])


def test_without_a_length_it_jumps() -> None:
    assert [Ramp(end=0.5, after=2).at(k) for k in range(4)] == [1, 1, 0.5, 0.5]
    assert Ramp(end=0.5).at(0) == 0.5


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"end": -1.0}, "Ramp: end must be >= 0, got -1.0"),
        ({"end": 1.0, "over": -1}, "Ramp: over must be >= 0, got -1"),
        ({"end": 0.0, "shape": "exponential"}, "start and end must be > 0 for shape"),
        ({"start": 0.0, "end": 1.0, "shape": "exponential"}, "start and end must be > 0 for shape"),
    ],
)
def test_a_ramp_that_cannot_be_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ramp(**keys)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "keys",
    [{"translation": -1}, {"cutout": 1.5}, {"brightness": -1.0}],
)
def test_augmentation_keeps_its_ranges(keys: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"LossAugmentation: {next(iter(keys))} must be"):
        LossAugmentation(**keys)  # type: ignore[arg-type]


def test_augmentation_that_changes_nothing_is_none() -> None:
    assert not LossAugmentation()
    assert all(LossAugmentation(**{name: 1}) for name in ("translation", "brightness", "cutout"))  # type: ignore[arg-type]


def test_tables_are_read_without_importing_torch() -> None:
    """The annotations of a schedule name them; its source tells what they take."""
    found = outline("ebmkit_coopnets.coopnets", "CoopNets")
    assert found is not None
    hints = {each.name: each.hint for each in found.signature.parameters}
    assert hints == {each.name: each.hint for each in signature_of(CoopNets).parameters}
    assert hints["annealing"] == Annealing | None
    code = (
        "import sys; from ebmkit.parameters.outline import outline; "
        "assert outline('ebmkit_coopnets.coopnets', 'CoopNets') is not None; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
