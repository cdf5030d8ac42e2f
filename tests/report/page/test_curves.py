from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ebmkit.report.page.curves import HEIGHT, WIDTH, Chart, charts
from tests.report.page.stories import story


def of(name: str, found: Mapping[str, Sequence[Chart]]) -> Chart:
    (chart,) = (each for group in found.values() for each in group if each.name == name)
    return chart


def points(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]


def test_a_curve_stands_where_its_numbers_are_and_the_axis_of_iterations_begins_at_none() -> None:
    lines = [{"iteration": at, "energy_gap": value} for at, value in ((10, 0.0), (20, 1.0), (40, 0.5))]
    (line,) = of("energy_gap", charts([story(*lines)])).lines
    drawn = [(WIDTH / 4, HEIGHT), (WIDTH / 2, 0.0), (WIDTH, HEIGHT / 2)]
    assert points(line.points)[:3] == drawn
    assert points(line.points)[3:] == drawn[-1:]  # the newest is there whatever was thinned
    assert line.last == "0.5"


def test_several_runs_share_the_axes_of_a_figure() -> None:
    one = story({"iteration": 4, "loss_energy": 1.0}, {"iteration": 8, "loss_energy": 2.0})
    other = story({"iteration": 16, "loss_energy": 3.0}, {"iteration": 16, "roughness": 1.0})
    chart = of("loss_energy", charts([one, other]))
    assert [line.run for line in chart.lines] == [0, 1]
    assert [points(line.points)[-1] for line in chart.lines] == [(WIDTH / 2, HEIGHT / 2), (WIDTH, 0.0)]
    assert [line.run for line in of("roughness", charts([one, other])).lines] == [1]


def test_figures_are_grouped_and_what_has_no_number_is_left_out() -> None:
    names = ("loss_energy", "energy_gap", "mine", "seconds_revision", "revision_drift", "saturation")
    lines = [{"iteration": at, **dict.fromkeys(names, 1.0), "empty": math.nan, "word": "x"} for at in (1, 2)]
    found = charts([story(*lines)])
    assert {title: [chart.name for chart in group] for title, group in found.items()} == {
        "Energies": ["energy_gap"],
        "Losses and gradients": ["loss_energy"],
        "Chains": ["revision_drift"],
        "Looks": ["saturation"],
        "Others": ["mine"],
    }
    assert charts([story()]) == {}


def test_a_long_curve_is_thinned_to_points_that_were_logged_and_keeps_its_ends() -> None:
    lines = [{"iteration": at, "mine": math.sin(at)} for at in range(1, 1002)]
    (line,) = of("mine", charts([story(*lines)])).lines
    drawn = points(line.points)
    assert len(drawn) <= 401
    assert (drawn[0][0], drawn[-1][0]) == (round(WIDTH / 1001, 1), WIDTH)
    across = [x for x, _ in drawn]
    assert across == sorted(across)


def test_points_beyond_the_axis_are_counted_and_rollbacks_have_their_place() -> None:
    lines = [{"iteration": at, "mine": math.sin(at)} for at in range(1, 100)]
    lines.append({"iteration": 100, "mine": -1e6})
    back = ({"iteration": 25, "to": 20, "reason": "x"},)
    chart = of("mine", charts([story(*lines, rollbacks=back)]))
    assert chart.beyond == 1
    assert points(chart.lines[0].points)[-1] == (WIDTH, HEIGHT)
    assert chart.lines[0].rollbacks == [WIDTH / 4]
