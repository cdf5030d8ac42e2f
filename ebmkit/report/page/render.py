"""The page itself: one file, every text escaped, every picture inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined

from ebmkit import __version__
from ebmkit.pictures.formats import open_picture
from ebmkit.report.page.axes import short
from ebmkit.report.page.curves import HEIGHT, WIDTH, charts
from ebmkit.report.page.settings import Setting, chosen, defaults_of, differing
from ebmkit.report.page.story import Picture, Story, read_story
from ebmkit.storage.durable import replace_file
from ebmkit.storage.folder import RunFolder

__all__ = ["page", "write_page"]

_SHOWN = 5
"""Sample grids of one set that are shown, over the whole training."""

_WIDEST = 1200
"""Pixels of a grid's width: a larger one is scaled down."""


def write_page(folders: Sequence[RunFolder], path: Any) -> None:
    """Write the page of one run, or of several beside each other; whole, or not at all.

    Raises:
        OSError: it cannot be written.
    """
    replace_file(path, page([read_story(folder) for folder in folders]).encode())


def page(stories: Sequence[Story]) -> str:
    """The HTML of one run, or of several beside each other."""
    environment = Environment(
        loader=PackageLoader("ebmkit.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = _short
    return environment.get_template("page.html").render(
        version=__version__,
        runs=[_Run.of(story) for story in stories],
        charts=charts(stories),
        width=WIDTH,
        height=HEIGHT,
        differing=differing([story.config for story in stories]) if len(stories) > 1 else [],
    )


@final
@attrs.frozen
class _Run:
    """What the page shows of one run."""

    name: str
    command: str
    summary: Sequence[tuple[str, str]]
    text: str
    settings: Sequence[Setting]
    rollbacks: Sequence[Mapping[str, Any]]
    over_time: Sequence[Shown]
    last: Sequence[Shown]
    stages: Sequence[tuple[str, str, float]]
    evaluation: Mapping[str, Any]
    diagnosis: Mapping[str, Any]

    @classmethod
    def of(cls, story: Story) -> _Run:
        defaults = defaults_of(story.folder)
        return cls(
            name=story.folder.name,
            command=f"ebmkit run {story.folder.name}/config.toml --set run.output=…",
            summary=list(_summary(story)),
            text=story.text,
            settings=chosen(story.config, defaults) if defaults else [],
            rollbacks=story.rollbacks,
            over_time=_over_time(story.pictures),
            last=_all_shown([pictures[-1] for pictures in story.pictures.values()]),
            stages=_stages(story),
            evaluation=_evaluation(story.evaluations[-1]) if story.evaluations else {},
            diagnosis=story.diagnosis,
        )


@final
@attrs.frozen
class Shown:
    """A picture inside the page."""

    name: str
    iteration: int
    width: int
    height: int
    data: str


def _summary(story: Story) -> Iterator[tuple[str, str]]:
    run = story.config.get("run", {})
    yield "iterations", f"{story.iteration} of {run.get('iterations', '?')}"
    yield "seed", str(run.get("seed", "?"))
    if data := story.facts.get("data", {}):
        yield "data", f"{data.get('examples')} examples {'x'.join(map(str, data.get('shape', ())))}"
    parts = {name: table["use"] for name, table in story.config.items() if "use" in table}
    yield "parts", ", ".join(f"{name} {use}" for name, use in parts.items())
    if story.rollbacks:
        yield "rollbacks", str(len(story.rollbacks))
    if saved := story.folder.saved():
        yield "checkpoints", ", ".join(map(str, saved))
    if versions := story.facts.get("versions", {}):
        yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())


def _over_time(pictures: Mapping[str, Sequence[Picture]]) -> Sequence[Shown]:
    """The samples that the model answers for: the first and the last picture and some between, evenly."""
    names = ("revised", "proposal", *pictures)
    found = next((pictures[name] for name in names if name in pictures), ())
    count = min(_SHOWN, len(found))
    places = {round(place * (len(found) - 1) / max(count - 1, 1)) for place in range(count)}
    return _all_shown([found[place] for place in sorted(places)])


def _all_shown(pictures: Sequence[Picture]) -> Sequence[Shown]:
    return [shown for each in pictures if (shown := _shown(each)) is not None]


def _shown(picture: Picture) -> Shown | None:
    try:
        with picture.path.open("rb") as file, open_picture(file) as image:
            image.thumbnail((_WIDEST, 16 * _WIDEST))
            content = io.BytesIO()
            image.save(content, "PNG", optimize=True)
            size = image.size
    except (OSError, ValueError):  # it is being written, or damaged
        return None
    return Shown(picture.name, picture.iteration, *size, base64.b64encode(content.getvalue()).decode())


def _stages(story: Story) -> Sequence[tuple[str, str, float]]:
    """Each stage of an iteration with its seconds and its share, means over what was logged."""
    sums: dict[str, float] = {}
    for line in story.lines:
        for name, value in line.items():
            if name.startswith("seconds_") and isinstance(value, int | float):
                sums[name.removeprefix("seconds_")] = sums.get(name.removeprefix("seconds_"), 0.0) + value
    whole = sum(sums.values())
    ordered = sorted(sums.items(), key=lambda each: -each[1])
    return [
        (name.replace("_", " "), f"{seconds / len(story.lines):.3g} s", seconds / whole)
        for name, seconds in ordered
        if whole and seconds / whole >= 0.001  # noqa: PLR2004 - less than it takes to write it
    ]


def _evaluation(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was stored, with the floor and the ceiling of each figure by its name."""
    by_name = {
        bound: {each["name"]: each["value"] for each in stored.get(bound, ())}
        for bound in ("floor", "ceiling")
    }
    return {"steps": None, **stored, **by_name}  # stored before there were steps


def _short(value: object) -> str:
    if value is None:  # a number that JSON has not
        return ""
    return short(value) if isinstance(value, float) else str(value)
