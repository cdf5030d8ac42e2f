"""How a value of a run file can be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["ConversionError", "OutOfRangeError"]


class ConversionError(ValueError):
    """The value has another type.

    Attributes:
        choices: the values there are to choose from, where there are some.
        repaired: the value that was probably meant, None where that is not clear.
    """

    def __init__(self, message: str, choices: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.choices = tuple(choices)
        self.repaired: Any = None


class OutOfRangeError(ValueError):
    """The value has the right type and breaks a bound."""
