"""Problems of a run file, and how a person sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from ebmkit.messages.quoting import shortened

__all__ = ["Problem", "as_json", "render"]

_WIDTH = 80
"""Columns of the lines that show a place: carets would not stand under a line that the terminal breaks."""


@attrs.frozen
class Problem:
    """One thing that is wrong, and where.

    Attributes:
        code: such as ``E103``.
        message: what is wrong.
        path: the file as the user named it, or the argument that caused it.
        line: in the file, from 1; None without a place in it.
        column: in ``source_line``, from 1.
        length: of what the carets underline.
        source_line: the line itself, or the argument.
        label: beside the carets: ``did you mean 'step_size'?``.
        helps: further lines.
        suggestion: what to write instead, as it would stand in the file; None where that is not clear.
    """

    code: str
    message: str
    path: str
    line: int | None = None
    column: int | None = None
    length: int = 1
    source_line: str | None = None
    label: str = ""
    helps: tuple[str, ...] = ()
    suggestion: str | None = None


def render(problems: Sequence[Problem], *, file: str) -> str:
    """Every problem with its line and carets, in the order of the file, and the count at the end."""
    ordered = sorted(problems, key=lambda each: (each.line is None, each.line or 0, each.column or 0))
    count = f"{len(ordered)} error{'s' if len(ordered) > 1 else ''} in {file}; nothing was started."
    return "\n\n".join([*("\n".join(_lines(problem)) for problem in ordered), count])


def as_json(problems: Sequence[Problem]) -> list[dict[str, object]]:
    """The problems as plain objects."""
    return [attrs.asdict(problem) for problem in problems]


def _lines(problem: Problem) -> Iterator[str]:
    number = "" if problem.line is None else str(problem.line)
    margin = " " * len(number)
    place = shortened(problem.path, _WIDTH - len(" --> "))
    if problem.line is not None:
        place = f"{problem.path}:{problem.line}:{problem.column}"
    yield f"error[{problem.code}]: {problem.message}"
    yield f"{margin} --> {place}"
    label, helps = problem.label, problem.helps
    if problem.source_line is not None and problem.column is not None:
        width = _WIDTH - len(f"{number} | ")
        line, column, length = _window(problem.source_line, problem.column, problem.length, width)
        yield f"{margin} |"
        yield f"{number} | {line}"
        carets = " " * (column - 1) + "^" * length
        if len(f"{carets} {label}") <= width:
            carets, label = f"{carets} {label}", ""
        yield f"{margin} | {carets}".rstrip()
    for text in (label, *helps) if label else helps:
        yield f"{margin} = help: {text}"


def _window(line: str, column: int, length: int, width: int) -> tuple[str, int, int]:
    """The part of a long line around the carets; a tab becomes one blank so that they stay in place."""
    line = line.replace("\t", " ")
    begin = max(0, min(column - 1 - width // 3, len(line) - width))
    shown = line[begin : begin + width]
    column -= begin
    return shown, column, max(1, min(length, len(shown) - column + 1))
