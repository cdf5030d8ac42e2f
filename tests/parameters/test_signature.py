from __future__ import annotations

import pytest

from ebmkit.config import REQUIRED, signature_of
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_langevin.langevin import Langevin


class Example:
    """An example.

    Args:
        part: a part.
        width: how wide
            it is.
        name: what it is called.
    """

    def __init__(self, part: object, other: object = None, *, width: int, name: str = "x") -> None:
        self.values = (part, other, width, name)


def test_keywords_are_parameters_and_positions_are_parts() -> None:
    signature = signature_of(Example)
    assert [(slot.name, slot.required) for slot in signature.parts] == [("part", True), ("other", False)]
    width, name = signature.parameters
    assert (width.name, width.hint, width.default, width.doc) == ("width", int, REQUIRED, "how wide it is.")
    assert (name.default, name.doc) == ("x", "what it is called.")


def test_an_attrs_class_reads_like_a_plain_one() -> None:
    step_size = signature_of(Langevin).parameter("step_size")
    assert step_size is not None
    assert step_size.default == 0.002
    assert "δ" in step_size.doc


def test_the_cooperative_schedule_names_its_parts() -> None:
    parts = signature_of(CoopNets).parts
    assert [slot.name for slot in parts] == ["energy", "generator", "revision", "inference", "shape"]
    assert [slot.required for slot in parts] == [True, True, True, False, False]


def test_a_parameter_without_a_type_is_refused() -> None:
    class Untyped:
        def __init__(self, *, width=1) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
            self.width = width

    with pytest.raises(TypeError, match="width"):
        signature_of(Untyped)
