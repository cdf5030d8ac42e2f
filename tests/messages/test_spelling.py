from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product

import pytest

from ebmkit.messages.spelling import did_you_mean, edits, nearest

WORDS = ["".join(each) for size in range(4) for each in product("ab", repeat=size)]


def one_edit_away(word: str) -> Iterator[str]:
    """Every word that one insertion, deletion, replacement or swap of neighbours makes of it."""
    for i in range(len(word) + 1):
        yield from (word[:i] + letter + word[i:] for letter in "ab")
    for i in range(len(word)):
        yield word[:i] + word[i + 1 :]
        yield from (word[:i] + letter + word[i + 1 :] for letter in "ab")
    for i in range(len(word) - 1):
        yield word[:i] + word[i + 1] + word[i] + word[i + 2 :]


def test_a_distance_is_0_between_equal_words_only_and_the_same_both_ways() -> None:
    for one, other in product(WORDS, WORDS):
        assert (edits(one, other) == 0) == (one == other)
        assert edits(one, other) == edits(other, one)


def test_a_distance_of_1_is_one_edit() -> None:
    for one in WORDS:
        near = set(one_edit_away(one)) - {one}
        assert {other for other in WORDS if edits(one, other) == 1} == near & set(WORDS)


def test_no_part_is_edited_twice() -> None:
    """The optimal string alignment distance: ``ca`` is not swapped and then parted."""
    assert edits("ca", "ac") == 1
    assert edits("ca", "abc") == 3


def test_it_lies_between_the_difference_of_lengths_and_the_longer_one() -> None:
    draw = random.Random(0)
    for _ in range(300):
        one, other = ("".join(draw.choices("abcd", k=draw.randrange(9))) for _ in range(2))
        assert abs(len(one) - len(other)) <= edits(one, other) <= max(len(one), len(other))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("stepsize", "step_size"),
        ("Step-Size", "step_size"),
        ("setps", "steps"),
        ("temperature_of_x", "temperature"),
        ("step_size_of_the_chain", None),
        ("steps", "steps"),
        ("x" * 5000, None),
        ("", None),
        ("clamp", None),
    ],
)
def test_what_was_meant(name: str, meant: str | None) -> None:
    assert nearest(name, ["steps", "step_size", "temperature"]) == meant


def test_of_two_as_near_the_one_that_is_still_free_was_meant() -> None:
    names = ["mean_a", "mean_b"]
    assert nearest("mean_c", names) == "mean_a"
    assert nearest("mean_c", names, taken={"mean_a"}) == "mean_b"
    assert nearest("mean_a", names, taken={"mean_a"}) == "mean_a"


def test_a_hint_quotes_the_name_and_is_empty_without_one() -> None:
    assert did_you_mean("adm", ["adam", "sgd"]) == "did you mean 'adam'?"
    assert did_you_mean("lion", ["adam", "sgd"]) == ""
