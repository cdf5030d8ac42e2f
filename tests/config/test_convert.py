from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import pytest

from ebmkit.config.convert import ConversionError, OutOfRangeError, convert, convert_text, describe
from ebmkit.core import Ge, Gt, Le, MinLen

Positive = Annotated[int, Ge(1)]


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, float, 1.0),
        (2, int, 2),
        (True, bool, True),
        ("group", Literal["batch", "group"], "group"),
        ([1, 2], tuple[int, ...], (1, 2)),
        ([0, 1.5], tuple[float, float], (0.0, 1.5)),
        ("x", str | None, "x"),
        (3, Annotated[float, Gt(0), Le(3)], 3.0),
    ],
)
def test_a_value_of_the_right_kind_is_taken(value: Any, hint: Any, expected: Any) -> None:
    converted = convert(value, hint)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (True, int),
        (1, bool),
        (1.0, int),
        ("1", int),
        (1, str),
        ({}, str),
        (1, tuple[int, ...]),
        ([1, "a"], tuple[int, ...]),
        ([1], tuple[int, int]),
        (False, float),
        (1, Literal["a"]),
    ],
)
def test_another_kind_is_refused(value: Any, hint: Any) -> None:
    with pytest.raises(ConversionError):
        convert(value, hint)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (0, Annotated[float, Gt(0)]),
        ([1, 0], tuple[Positive, ...]),
        ([], Annotated[tuple[int, ...], MinLen(1)]),
        (float("nan"), Annotated[float, Gt(0)]),
    ],
)
def test_a_value_outside_its_range_is_refused(value: Any, hint: Any) -> None:
    with pytest.raises(OutOfRangeError):
        convert(value, hint)


def test_a_wrong_choice_knows_the_choices() -> None:
    with pytest.raises(ConversionError) as caught:
        convert("bach", Literal["batch", "group"])
    assert caught.value.choices == ("batch", "group")


@pytest.mark.parametrize(
    ("value", "hint", "meant"),
    [
        ("3", int, 3),
        (3.0, int, 3),
        ("on", bool, True),
        ("False", bool, False),
        (1, bool, True),
        (3, str, "3"),
        (32, tuple[int, ...], [32]),
        ([5], Positive, 5),
        (0.5, int, None),
        ("-1", Positive, None),
        ("big", float, None),
    ],
)
def test_a_wrong_value_is_read_as_what_was_meant(value: Any, hint: Any, meant: Any) -> None:
    with pytest.raises(ConversionError) as caught:
        convert(value, hint)
    assert caught.value.repaired == meant
    assert type(caught.value.repaired) is type(meant)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1_000", 1000),
        ("0x10", 16),
        ("true", True),
        ("1e3", 1e3),
        ("2024-01-31T10:00:00", dt.datetime(2024, 1, 31, 10)),
    ],
)
def test_a_text_that_was_meant_is_told_as_it_was_written(written: str, value: Any) -> None:
    with pytest.raises(ConversionError) as caught:
        convert(value, str, written=written)
    assert caught.value.repaired == written


def test_a_table_is_no_text_without_quotes() -> None:
    with pytest.raises(ConversionError) as caught:
        convert({"a": 1}, str, written="{ a = 1 }")
    assert caught.value.repaired is None


@pytest.mark.parametrize(
    "text", ["2024", "true", "1_000", "0x10", "1e3", "nan", "[1, 2]", "2024-01-31", "{a = 1}"]
)
@pytest.mark.parametrize("hint", [str, str | None, Annotated[str, MinLen(1)]])
def test_behind_set_a_text_is_taken_as_it_stands(text: str, hint: Any) -> None:
    assert convert_text(text, hint) == text


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        ('"2024"', str, "2024"),
        ("2024", int | str, 2024),
        ("2024", int, 2024),
        ("true", bool, True),
        ("1", Literal["1", "2"], "1"),
        ("[1, 2]", tuple[int, ...], (1, 2)),
    ],
)
def test_behind_set_toml_goes_first(text: str, hint: Any, expected: Any) -> None:
    converted = convert_text(text, hint)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(("text", "hint"), [("true", int), ("2024", Literal["a"]), ("1.5", int), ("x", int)])
def test_behind_set_another_kind_is_refused_too(text: str, hint: Any) -> None:
    with pytest.raises(ConversionError):
        convert_text(text, hint)


def test_types_read_well() -> None:
    assert describe(Annotated[float, Gt(0)]) == "float, > 0"
    assert describe(tuple[Positive, ...]) == "list of (int, >= 1)"
    assert describe(Literal["a", "b"]) == "'a' | 'b'"
