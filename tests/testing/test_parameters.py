"""The parameters of a part: documented, of a type that a run file can hold, with a default in range."""

from __future__ import annotations

from typing import Annotated

import pytest

from ebmkit.core import Ge, Gt, Lt
from ebmkit.testing.claims import Claims
from ebmkit.testing.parameters import check_parameters
from ebmkit.testing.report import CheckFailedError
from ebmkit.testing.subject import Subject


class Right:
    """Right.

    Args:
        width: required, so that there is no default to look at.
        rate: at the end of its range.
        depth: open.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        width: Annotated[int, Ge(1)],
        rate: Annotated[float, Ge(0), Lt(1)] = 0.0,
        depth: Annotated[int, Gt(0)] | None = None,
    ) -> None: ...


class Undocumented(Right):
    def __init__(self, *, heigth: int = 1) -> None: ...


class OfNoType(Right):
    """Of no type.

    Args:
        width: a function, which no run file holds.
    """

    def __init__(self, *, width: type = int) -> None: ...


class OutOfRange(Right):
    def __init__(self, *, rate: Annotated[float, Ge(0), Lt(1)] = 1.0) -> None: ...


class OutOfRangeInside(Right):
    """Of several numbers.

    Args:
        widths: each above 0.
    """

    def __init__(self, *, widths: tuple[Annotated[int, Gt(0)], ...] = (4, 0)) -> None: ...


def test_what_is_right_is_listed_without_its_parts() -> None:
    assert check_parameters(Subject(Right, Claims())) == "width, rate, depth"


@pytest.mark.parametrize(
    ("component", "said"),
    [
        (Undocumented, "^heigth has no line under Args: in the class's docstring$"),
        (OfNoType, "^width has the type .*type.*"),
        (OutOfRange, "^rate must be < 1, but its default is 1.0$"),
        (OutOfRangeInside, r"^widths must .*> 0.*, but its default is \(4, 0\)$"),
    ],
)
def test_what_is_wrong_is_told_with_the_name(component: type, said: str) -> None:
    with pytest.raises(CheckFailedError, match=said):
        check_parameters(Subject(component, Claims()))
