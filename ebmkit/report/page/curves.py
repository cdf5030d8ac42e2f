"""Curves as SVG: the figures of one run, or of several over each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import final

import attrs

from ebmkit.report.page.axes import Axis, axis_of, short
from ebmkit.report.page.story import Story

__all__ = ["Chart", "Line", "Tick", "charts"]

WIDTH, HEIGHT = 320, 150
"""Of a curve's field in the units of the drawing."""

_POINTS = 400
"""A curve of more points than this is thinned: each that is left is a logged one."""

_GROUPS = {
    "Energies": ("energy_",),
    "Losses and gradients": ("loss_", "gradient_", "reconstruction_error"),
    "Chains": ("revision_", "inference_", "chain_displacement", "catch_up"),
    "Looks": ("saturation", "roughness"),
}
_LEFT_OUT = ("seconds_", "iteration")


@final
@attrs.frozen
class Tick:
    """A number beside an axis: where, and its text."""

    at: float
    text: str


@final
@attrs.frozen
class Line:
    """One run's curve.

    Attributes:
        run: its number among the runs of the page, which gives it its colour.
        points: as SVG wants them, ``x,y x,y``.
        last: its newest number.
        rollbacks: where the training went back, as x.
    """

    run: int
    points: str
    last: str
    rollbacks: Sequence[float]


@final
@attrs.frozen
class Chart:
    """The curves of a figure.

    Attributes:
        name: of the figure.
        lines: one for each run that has it.
        x_ticks: iterations.
        y_ticks: values.
        logarithmic: whether the axis of values is.
        beyond: how many points lie beyond the axis and are drawn at its edge.
    """

    name: str
    lines: Sequence[Line]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    logarithmic: bool
    beyond: int


def charts(stories: Sequence[Story]) -> Mapping[str, Sequence[Chart]]:
    """A chart for each figure that a run logged, by group."""
    names = dict.fromkeys(name for story in stories for line in story.lines for name in line)
    drawn = {name: chart for name in names if (chart := _chart(name, stories)) is not None}
    grouped: dict[str, list[Chart]] = {title: [] for title in (*_GROUPS, "Others")}
    for name, chart in drawn.items():
        title = next((title for title, begins in _GROUPS.items() if name.startswith(begins)), "Others")
        grouped[title].append(chart)
    return {title: found for title, found in grouped.items() if found}


def _chart(name: str, stories: Sequence[Story]) -> Chart | None:
    if name.startswith(_LEFT_OUT):
        return None
    found = {run: points for run, story in enumerate(stories) if (points := _points(name, story))}
    values = [value for points in found.values() for _, value in points]
    if not values:
        return None
    across = Axis(0, max(iteration for points in found.values() for iteration, _ in points))
    up = axis_of(values)
    return Chart(
        name,
        [_line(run, points, stories[run], across, up) for run, points in found.items()],
        [Tick(round(WIDTH * across.place(at), 1), short(at)) for at in across.ticks()],
        [Tick(round(HEIGHT * (1 - up.place(at)), 1), short(at)) for at in up.ticks()],
        up.logarithmic,
        sum(not up.low <= value <= up.high for value in values),
    )


def _points(name: str, story: Story) -> Sequence[tuple[float, float]]:
    pairs = ((line["iteration"], line.get(name)) for line in story.lines)
    return [(at, value) for at, value in pairs if isinstance(value, int | float) and math.isfinite(value)]


def _line(run: int, points: Sequence[tuple[float, float]], story: Story, across: Axis, up: Axis) -> Line:
    every = math.ceil(len(points) / _POINTS)
    kept = [*points[::every], points[-1]]
    drawn = " ".join(f"{WIDTH * across.place(x):.1f},{HEIGHT * (1 - up.place(y)):.1f}" for x, y in kept)
    back = [round(WIDTH * across.place(each["iteration"]), 1) for each in story.rollbacks]
    return Line(run, drawn, short(points[-1][1]), back)
