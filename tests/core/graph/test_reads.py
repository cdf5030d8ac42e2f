from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import pytest

from ebmkit.core.graph.reads import Reads, is_fixed


def test_a_place_holds_as_long_as_the_same_object_is_there() -> None:
    one = [1.0]
    namespace: dict[str, Any] = {"a": one, "b": 2}
    reads = Reads()
    reads.items(namespace, ("a", "missing"))
    assert reads.hold()
    one.append(2.0)  # what is in it is somebody else's question
    namespace["b"] = namespace["c"] = 3
    assert reads.hold()
    namespace["a"] = list(one)  # equal, but another one
    assert not reads.hold()
    namespace["a"] = one
    assert reads.hold()
    namespace["missing"] = None
    assert not reads.hold()


def test_of_a_whole_mapping_nothing_may_be_added_or_taken_away() -> None:
    namespace = {"a": 1, "b": 2}
    reads = Reads()
    reads.items(namespace, tuple(namespace), whole=True)
    assert reads.hold()
    namespace["c"] = 3
    assert not reads.hold()
    del namespace["c"]
    assert reads.hold()
    del namespace["b"]
    assert not reads.hold()


def made() -> FunctionType:
    def function(x: float, factor: float = 2.0) -> float:
        return x * factor

    return function  # type: ignore[return-value]


def other(x: float, factor: float = 2.0) -> float:
    return x + factor


@pytest.mark.parametrize(
    "change",
    [
        lambda function: setattr(function, "__code__", other.__code__),
        lambda function: setattr(function, "__defaults__", (3.0,)),
        lambda function: setattr(function, "__kwdefaults__", {"more": 1.0}),
    ],
    ids=["code", "defaults", "keyword defaults"],
)
def test_a_function_holds_as_long_as_it_is_made_of_the_same(change: Callable[[FunctionType], object]) -> None:
    function, reads = made(), Reads()
    reads.function(function)
    assert reads.hold()
    change(function)
    assert not reads.hold()


def test_what_a_function_keeps_beside_its_code_may_change_unseen() -> None:
    cell = [1.0]
    plain, closing, keyed, marked = made(), lambda: cell, lambda *, more=1.0: more, made()
    marked.note = "a"  # type: ignore[attr-defined]
    for function, complete in ((plain, True), (closing, False), (keyed, False), (marked, False)):
        reads = Reads()
        reads.function(function)  # type: ignore[arg-type]
        assert reads.complete is complete


@pytest.mark.parametrize(
    ("module", "fixed"),
    [
        ("torch.nn.functional", True),
        ("numpy", True),
        ("math", True),
        ("ebmkit.core.energy", True),
        ("ebmkit_convnets.descriptor", False),
        ("torchvision", False),
        ("__main__", False),
        (__name__, False),
        (None, False),
    ],
)
def test_the_code_of_libraries_stays_and_that_of_users_may_change(module: str | None, fixed: bool) -> None:
    assert is_fixed(module) is fixed
