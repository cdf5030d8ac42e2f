"""The parameters of any part: typed, documented, and inside their own ranges."""

from __future__ import annotations

from typing import Any

from ebmkit.config import REQUIRED, UNSUPPORTED, describe, is_supported, signature_of
from ebmkit.parameters.ranges import broken_bound
from ebmkit.testing.subject import Subject
from ebmkit.testing.tensors import demand

__all__ = ["check_parameters"]


def check_parameters(subject: Subject[Any]) -> str:
    """Every keyword parameter is documented, of a type that a run file can hold, its default in range.

    Returns:
        their names.
    """
    parameters = signature_of(subject.component).parameters
    for each in parameters:
        demand(bool(each.doc), f"{each.name} has no line under Args: in the class's docstring")
        demand(is_supported(each.hint), f"{each.name} has the type {describe(each.hint)}, {UNSUPPORTED}")
        if each.default not in (REQUIRED, None):
            bound = broken_bound(each.hint, each.default)
            demand(bound is None, f"{each.name} must be {bound}, but its default is {each.default!r}")
    return ", ".join(each.name for each in parameters)
