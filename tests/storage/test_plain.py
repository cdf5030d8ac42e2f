from __future__ import annotations

import json
import math

from ebmkit.storage.plain import as_json, plain

RECORD = {"a": [1.0, math.nan, (math.inf, {"b": -math.inf})], "c": {"d": None, "e": True, "f": "nan"}, "g": 3}


def test_only_numbers_that_are_not_finite_become_null() -> None:
    assert plain(RECORD) == {
        "a": [1.0, None, [None, {"b": None}]],
        "c": {"d": None, "e": True, "f": "nan"},
        "g": 3,
    }


def test_what_is_plain_stays_as_it_is_and_what_was_given_too() -> None:
    once = plain(RECORD)
    assert plain(once) == once
    assert math.isnan(RECORD["a"][1])  # type: ignore[index]


def test_every_reader_of_json_reads_it() -> None:
    def refuse(word: str) -> None:
        raise ValueError(word)

    assert json.loads(as_json(RECORD), parse_constant=refuse) == plain(RECORD)
