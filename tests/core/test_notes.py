from __future__ import annotations

from weakref import ref

from ebmkit.core.notes import Notes


class Equal:
    """Objects that all claim to be one."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def test_objects_are_told_apart_though_they_call_themselves_equal() -> None:
    one, other, notes = Equal(), Equal(), Notes()
    notes.add(one, "seen")
    assert notes.has(one, "seen")
    assert not notes.has(other, "seen")


def test_notes_add_up_until_they_are_replaced() -> None:
    thing, notes = Equal(), Notes()
    notes.add(thing, "a")
    notes.add(thing, ("b", 1))
    assert notes.has(thing, "a")
    assert notes.has(thing, ("b", 1))
    notes.replace(thing, "c")
    assert [notes.has(thing, each) for each in ("a", ("b", 1), "c")] == [False, False, True]


def test_it_keeps_nothing_alive_and_forgets_what_is_gone() -> None:
    """A new object may get the place in memory of one that is gone, and knows nothing of its notes."""
    notes = Notes()
    for _ in range(50):
        thing = Equal()
        assert not notes.has(thing, "seen")
        notes.add(thing, "seen")
        alive = ref(thing)
        del thing
        assert alive() is None
    assert notes._notes == {}
