"""What a run says fits where it is said, and no number is cut for it."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from ebmkit.report import console as module
from ebmkit.report.console import open_display, say, say_facts

FIGURES = {
    "energy_observed": -31845.678,
    "energy_revised": -11056.789,
    "energy_gap": -20788.889,
    "chain_displacement": 0.00123456,
    "catch_up": 0.9134567,
    "reconstruction_error": 0.0968345,
    "roughness": 1.2,  # not among those shown
}


def a_console(width: int, *, terminal: bool) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)


def printed(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("scale", [1.0, -1e9, 1e-7])
def test_plain_lines_are_a_table_of_at_most_80_columns(scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10**6, 5000))  # a slow training, on a clock that goes by itself
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(now)))
    console = a_console(80, terminal=False)
    figures = {name: value * scale if "energy" in name else value for name, value in FIGURES.items()}
    with open_display(console, start=0, iterations=999_999) as display:
        for iteration in range(1, 44):
            display.show(iteration * 20_000, figures)
        display.say("! something happened")
        display.show(900_000, figures)
    lines = printed(console)
    assert max(map(len, lines)) <= 80
    headings = [n for n, line in enumerate(lines) if line.startswith("iteration")]
    assert headings == [0, 21, 42, 47]  # every twenty lines, and below what is said between them
    names = lines[0].split()
    assert names == ["iteration", "it/s", "ETA", "E(data)", "E(samples)", "gap", "moved", "catch-up", "recon"]
    row = dict(zip(names, lines[1].split(), strict=True))
    assert row["iteration"] == "20000"
    assert (row["moved"], row["catch-up"], row["recon"]) == ("0.00123", "0.913", "0.0968")
    assert float(row["E(data)"]) == pytest.approx(scale * -31845.678, rel=5e-3)
    ends = [match.end() for match in re.finditer(r"\S+", lines[0])]
    assert [match.end() for match in re.finditer(r"\S+", lines[1])] == ends


def test_a_schedule_with_fewer_figures_has_fewer_columns() -> None:
    console = a_console(80, terminal=False)
    with open_display(console, start=0, iterations=10) as display:
        display.show(10, {"reconstruction_error": 0.25})
    assert printed(console)[0].split() == ["iteration", "it/s", "ETA", "recon"]


def test_the_first_iteration_which_prepares_the_others_says_nothing_of_their_speed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, 60.0, 62.0, 72.0])  # the start; a minute; two seconds each
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    console = a_console(80, terminal=False)
    with open_display(console, start=4, iterations=10) as display:
        monkeypatch.setattr(module, "_SECONDS_BETWEEN_LINES", 0.0)
        display.show(5, FIGURES)
        display.show(6, FIGURES)
        display.restart(4)  # gone back to: another one begins
        monkeypatch.setattr(module.time, "monotonic", lambda: 132.0)
        display.show(5, FIGURES)
    rows = [line.split()[:3] for line in printed(console) if not line.startswith("iteration")]
    assert rows == [["5", "-", "-"], ["6", "0.500", "0:08"], ["5", "-", "-"]]


def test_what_a_sampler_accepts_is_shown_where_there_is_room() -> None:
    console = a_console(80, terminal=False)
    with open_display(console, start=0, iterations=10) as display:
        display.show(10, {"energy_gap": 1.0, "revision_acceptance": 0.75})
    assert printed(console)[0].split()[-2:] == ["gap", "accepted"]
    assert printed(console)[1].split()[-1] == "0.750"
    console = a_console(80, terminal=False)
    with open_display(console, start=0, iterations=10) as display:
        display.show(10, {**FIGURES, "revision_acceptance": 0.75})
    assert printed(console)[0].split()[-1] == "recon"
    assert len(printed(console)[0]) <= 80


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_the_live_figures_stay_whole_at_every_width(width: int) -> None:
    console = a_console(width, terminal=True)
    console.print(module._Figures(FIGURES))
    lines = printed(console)
    assert max(map(len, lines)) <= width
    expected = {40: 6, 60: 3, 80: 2, 120: 2, 200: 1}[width]
    assert len(lines) == expected
    text = "\n".join(lines)
    for whole in (
        "E(data) -3.185e+04",
        "E(samples) -1.106e+04",
        "gap -2.079e+04",
        "moved 0.001235",
        "recon 0.09683",
    ):
        assert whole in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_bar_with_large_numbers_fits(width: int) -> None:
    console = a_console(width, terminal=True)
    with open_display(console, start=0, iterations=1_000_000) as display:
        display.advance(123_456)
        display.saved(123_400)
        display.show(123_456, FIGURES)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue()).replace("\r", "\n")  # type: ignore[attr-defined]
    bars = [line for line in shown.splitlines() if "it/s" in line]
    assert bars
    for line in bars:
        assert len(line.rstrip()) <= width
        assert re.search(r"\d:\d\d:\d\d", line)  # elapsed
        assert "123456/1000000" in line or "0/1000000" in line
        assert "…" not in line
    assert ("saved 123400" in bars[-1]) == (width >= 80)
    assert len(bars[-1].rstrip()) > width - 3  # the bar takes what is left


def test_sentences_and_facts_break_between_words_on_a_terminal_alone() -> None:
    facts = [("data", "folder           " + "word " * 30)]
    for terminal in (True, False):
        console = a_console(60, terminal=terminal)
        say(console, "word " * 30)
        say_facts(console, facts)
        lines = printed(console)
        assert (len(lines) == 2) == (not terminal)
        if terminal:
            assert max(map(len, lines)) <= 60
            assert lines[-1].startswith(" " * 13 + "word")
            assert not any(re.search(r"\bwor$|^d ", line) for line in lines)
