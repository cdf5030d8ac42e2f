from __future__ import annotations

from typing import Annotated, Literal

import pytest

from ebmkit.config.convert import convert, convert_text
from ebmkit.config.faults import ConversionError, OutOfRangeError
from ebmkit.parameters.ranges import Gt


def test_another_kind_and_a_value_out_of_range_are_told_apart_and_both_are_wrong_values() -> None:
    with pytest.raises(ConversionError) as kind:
        convert("far", Annotated[float, Gt(0)])
    with pytest.raises(OutOfRangeError) as bound:
        convert(-1.0, Annotated[float, Gt(0)])
    assert not isinstance(kind.value, OutOfRangeError)
    assert not isinstance(bound.value, ConversionError)
    assert isinstance(kind.value, ValueError)
    assert isinstance(bound.value, ValueError)


def test_only_where_there_is_a_choice_are_there_choices() -> None:
    for value, hint, choices in (("b", Literal["bach", "none"], ("bach", "none")), ("b", int, ())):
        with pytest.raises(ConversionError) as caught:
            convert_text(value, hint)
        assert caught.value.choices == choices
        assert caught.value.repaired is None
