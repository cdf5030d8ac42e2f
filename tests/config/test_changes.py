"""One comparison of run files, then and now."""

from __future__ import annotations

from ebmkit.config.changes import Allowed, Difference, differences, refuse_changes

THEN = {
    "run": {"seed": 0, "iterations": 5},
    "energy": {"use": "descriptor", "channels": (4, 8), "optimizer": {"use": "adam", "lr": 0.001}},
}


def with_energy(**keys: object) -> dict[str, dict[str, object]]:
    return {**THEN, "energy": {**THEN["energy"], **keys}}  # type: ignore[dict-item]


def test_the_same_file_differs_in_nothing_and_an_unknown_one_neither() -> None:
    as_json = with_energy(channels=[4, 8])
    assert differences(THEN, as_json) == []
    assert differences({}, THEN) == []


def test_a_key_inside_a_table_is_named_by_itself() -> None:
    now = with_energy(optimizer={"use": "adam", "lr": 0.1})
    assert differences(THEN, now) == [Difference(("energy", "optimizer", "lr"), 0.001, 0.1)]
    for allowed in ("energy.optimizer.lr", "energy.optimizer", "energy"):
        (line,) = refuse_changes((THEN, now), ({}, {}), Allowed([allowed]), place=str)
        assert line == "changed: energy.optimizer.lr from 0.001 to 0.1"


def test_keys_that_no_weight_depends_on_and_new_keys_with_their_defaults_are_no_difference() -> None:
    now = {**with_energy(leak=0.2), "run": {"seed": 0, "iterations": 9}}
    assert differences(THEN, now) == []


def test_a_table_that_came_or_went_is_one_difference() -> None:
    prior = {"use": "gaussian"}
    came, went = differences(THEN, {**THEN, "prior": prior}), differences({**THEN, "prior": prior}, THEN)
    assert came == [Difference(("prior",), None, prior)]
    assert went == [Difference(("prior",), prior, None)]
    assert came[0].of_a_table
