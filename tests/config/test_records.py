from __future__ import annotations

from typing import Any

import pytest

from ebmkit.config.changes import differences
from ebmkit.config.convert import as_toml, convert, describe, is_supported
from ebmkit.config.faults import ConversionError, OutOfRangeError
from ebmkit.config.opening import override_value
from ebmkit.config.records import as_table, plain
from ebmkit.parameters.records import Annealing, LossAugmentation, Ramp

COOLING = Annealing(temperature=Ramp(end=0.01, after=800, over=400, shape="exponential"))


def test_a_table_becomes_the_class_and_back() -> None:
    table = {"temperature": {"end": 0.01, "after": 800, "over": 400, "shape": "exponential"}}
    assert convert(table, Annealing | None) == COOLING
    assert convert({}, LossAugmentation | None) == LossAugmentation()
    assert convert({"end": 1}, Ramp).end == 1.0
    whole = {"temperature": {"start": 1.0, **table["temperature"]}}
    assert as_table(COOLING) == whole
    assert as_table((1, 2)) is None
    assert plain({"annealing": COOLING, "chains": 3}) == {"annealing": whole, "chains": 3}
    assert convert(override_value(as_toml(COOLING)), Annealing) == COOLING
    assert is_supported(Annealing | None)
    assert describe(Annealing | None) == "table of temperature, step_size, steps"


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (3, ConversionError, "must be a table, got 3"),
        ({"temp": 1}, ConversionError, "has no key 'temp'; its keys are temperature, step_size, steps"),
        (
            {"temperature": {}},
            ConversionError,
            "has a wrong 'temperature': needs the key 'end'; its keys are start, end, after, over, shape",
        ),
        (
            {"temperature": {"end": "x"}},
            ConversionError,
            "has a wrong 'temperature.end': must be a number, got a string: 'x'",
        ),
        (
            {"steps": {"end": 1.0, "over": -1}},
            OutOfRangeError,
            "has a wrong 'steps.over': must be >= 0, got -1",
        ),
        (
            {"steps": {"end": 0.0, "shape": "exponential"}},
            OutOfRangeError,
            "has a wrong 'steps': does not hold: start and end must be > 0 for shape = \"exponential\"; "
            '"linear" reaches 0',
        ),
    ],
)
def test_what_is_wrong_in_a_table_is_told_by_its_path(
    value: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        convert(value, Annealing | None)
    assert type(caught.value) is kind
    assert str(caught.value) == message


def test_keys_that_an_older_release_did_not_have_in_a_table_are_no_change() -> None:
    now = {"schedule": {"annealing": {"steps": {"end": 2.0, "over": 0}}}}
    assert differences({"schedule": {"annealing": {"steps": {"end": 2.0}}}}, now) == []
    (found,) = differences({"schedule": {"annealing": {"steps": {"end": 1.0}}}}, now)
    assert (found.name, found.was, found.now) == ("schedule.annealing.steps.end", 1.0, 2.0)
