"""What is written where the terminal has few letters."""

from __future__ import annotations

import sys

import pytest

from ebmkit.messages.legible import LEGIBLE, legible
from ebmkit.report.sparkline import sparkline


def test_every_letter_there_is_becomes_ascii() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    assert legible(every).isascii()
    assert legible(every[:128]) == every[:128]


def test_a_curve_keeps_its_heights_and_its_width() -> None:
    values = [0.0, 1.0, 2.0, 7.0, 4.0]
    assert legible(sparkline(values, width=5)) == "12385"


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("utf-8", "δ² … é"),
        ("latin-1", "delta² ... é"),
        ("cp1252", "delta² … é"),
        ("ascii", "delta^2 ... e"),
        ("cp037", "delta² ... é"),
    ],
)
def test_only_what_an_encoding_lacks_is_replaced(encoding: str, written: str) -> None:
    assert "δ² … é".encode(encoding, LEGIBLE).decode(encoding) == written


def test_the_name_of_a_file_that_is_no_text_can_be_printed() -> None:
    assert "caf\udce9.toml".encode("utf-8", LEGIBLE) == rb"caf\xe9.toml"
