"""What a checkpoint remembers is read back as it was, and everything else is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ebmkit.storage.facts import DataFacts, Facts, Origin
from ebmkit.training.guard import Memory, Rollback

ROLLBACK = Rollback(9, 4, "seen", 0.5, 0.25)
FACTS = Facts(
    config={"run": {"seed": 3}, "guard": {"step_factor": 0.7, "rate_factor": 0.1}},
    data=DataFacts((1, 8, 8), 12, "abc"),
    plugins={"ebmkit-torch": "0.1.0"},
    threads=2,
    processes=3,
    versions={"torch": "2.13"},
    origin=Origin("runs/other", 7),
    guard=Memory((ROLLBACK,), (2, 4), 6, (0.5, float("inf")), ("energy",), ()),
)


def entries() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(FACTS.to_json()))
    return read


def test_facts_come_back_from_json_as_they_were() -> None:
    assert Facts.from_json(entries()) == FACTS
    assert Facts.from_json(Facts().to_json()) == Facts()
    assert Facts.from_json({**entries(), "of a later release": [1]}) == FACTS


def test_the_entries_are_those_of_earlier_releases_and_the_classes() -> None:
    names = {"config", "data", "plugins", "threads", "processes", "versions", "from", "guard"}
    assert entries().keys() == names
    assert entries()["data"] == {"shape": [1, 8, 8], "examples": 12, "sha256": "abc", "classes": []}
    assert entries()["from"] == {"run": "runs/other", "iteration": 7}


def test_a_rollback_that_says_no_factors_had_those_of_the_table() -> None:
    old = entries()
    for name in ("step_factor", "rate_factor"):
        del old["guard"]["rollbacks"][0][name]
    assert Facts.from_json(old).rollbacks == (Rollback(9, 4, "seen", 0.7, 0.1),)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("threads",), "2"),
        (("threads",), True),
        (("processes",), -1),
        (("data", "shape"), 8),
        (("data", "shape"), [1, None]),
        (("config", "run"), 1),
        (("plugins", "x"), 1),
        (("from",), []),
        (("guard", "rollbacks"), [{}]),
        (("guard", "losses"), [10**400]),
        (("guard",), None),
    ],
)
def test_what_was_not_written_by_facts_is_refused_by_the_name_of_its_entry(
    place: tuple[str, ...], value: object
) -> None:
    damaged = entries()
    table = damaged
    for name in place[:-1]:
        table = table[name]
    table[place[-1]] = value
    with pytest.raises(ValueError, match=f"^'{place[0]}' "):
        Facts.from_json(damaged)
