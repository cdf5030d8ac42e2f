from __future__ import annotations

import pytest

from ebmkit_images.names import Names


def test_names_come_back_as_they_were() -> None:
    names = ["b", "ä/ß.png", "", "\udcff.jpg", "😀"]
    assert list(Names(names)) == names
    assert Names(names)[-1] == "😀"
    assert Names(names)[1:3] == ["ä/ß.png", ""]
    with pytest.raises(IndexError):
        Names(names)[5]


def test_every_index_and_slice_is_that_of_a_list() -> None:
    names = [f"{'ä' * (number % 5)}{number}.png" for number in range(12)]
    kept = Names(names)
    assert [kept[at] for at in range(-12, 12)] == names * 2
    for cut in (
        slice(None),
        slice(3, None),
        slice(-4, None),
        slice(None, None, -2),
        slice(9, 2, -3),
        slice(50),
    ):
        assert kept[cut] == names[cut]
    assert [len(Names(names[:count])) for count in (0, 1, 12)] == [0, 1, 12]


def test_a_name_takes_its_bytes_and_eight_more() -> None:
    names = [f"folder/{number:06}.jpg" for number in range(1000)]
    kept = Names(names)
    assert len(kept._bytes) == 1000 * len(names[0])
    assert kept._ends.nbytes == 8 * 1001
