from __future__ import annotations

import pytest

from ebmkit.messages.quoting import quoted, shortened


@pytest.mark.parametrize("width", [1, 2, 3, 5, 20, 60])
def test_a_long_text_has_exactly_the_width_and_its_two_ends(width: int) -> None:
    text = "".join(chr(ord("A") + place % 50) for place in range(500))
    short = shortened(text, width)
    head, mark, tail = short.partition("…")
    assert (len(short), mark) == (width, "…")
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(tail) <= len(head)


def test_a_text_that_fits_is_left_as_it_is() -> None:
    for length in range(61):
        assert shortened("a" * length) == "a" * length
    assert shortened("a" * 61) != "a" * 61


def test_a_value_is_written_as_python_does() -> None:
    assert [quoted(each) for each in ("a'b", 1.5, None, ["x"])] == ['"a\'b"', "1.5", "None", "['x']"]
    assert len(quoted("\n" * 1000)) == 60
    assert "\n" not in quoted("\n" * 1000)
