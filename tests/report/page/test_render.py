from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ebmkit.storage.folder import RunFolder
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


class Page(HTMLParser):
    """The tags, attributes and texts of a page; unclosed and wrongly closed tags are noted."""

    VOID = frozenset({"meta", "img", "link", "br", "line", "polyline"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def run(run_file: RunFile, ebmkit: Ebmkit) -> Callable[..., RunFolder]:
    def trained(name: str, *options: str) -> RunFolder:
        file = run_file("coopnets")
        output = ["--set", f"run.output=runs/{name}", "--set", "run.samples_every=1", *options]
        assert ebmkit("run", file, *output).code == 0
        return RunFolder(Path("runs") / name)

    return trained


def written(folder: RunFolder, ebmkit: Ebmkit) -> str:
    assert ebmkit("report", folder.name).out == f"wrote {folder.path / 'report.html'}\n"
    return (folder.path / "report.html").read_text()


def test_the_page_asks_nothing_of_the_network_and_runs_no_script(
    run: Callable[..., RunFolder], ebmkit: Ebmkit
) -> None:
    text = written(run("one"), ebmkit)
    page = Page(text)
    assert (page.open, page.wrong) == ([], [])
    assert not [tag for tag, _ in page.tags if tag in {"script", "link", "iframe", "object"}]
    sources = [value or "" for _, has in page.tags for name, value in has.items() if name in {"src", "href"}]
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "url(" not in text
    assert "@import" not in text


def test_it_shows_what_was_set_the_curves_and_the_samples(
    run: Callable[..., RunFolder], ebmkit: Ebmkit
) -> None:
    folder = run("one", "--set", "revision.step_size=0.0123")
    page = Page(written(folder, ebmkit))
    texts = " ".join(page.texts)
    assert "revision.step_size" in texts
    assert "0.0123" in texts
    assert "run.verify" not in texts.partition("The whole run file")[0]  # it has its default
    drawn = {has["aria-label"] for tag, has in page.tags if tag == "svg"}
    logged = {name for line in folder.metrics.read_text().splitlines() for name in json.loads(line)}
    shown = {name for name in logged if not name.startswith(("seconds_", "iteration"))}
    assert drawn == {f"{name} over iterations" for name in shown}
    pictures = {has["alt"] for tag, has in page.tags if tag == "img"}
    last = max(
        int(line.partition(":")[2].partition(",")[0]) for line in folder.metrics.read_text().splitlines()
    )
    assert {"revised after iteration 1", f"observed after iteration {last}"} < pictures


def test_everything_that_is_written_down_is_escaped(run: Callable[..., RunFolder], ebmkit: Ebmkit) -> None:
    folder = run("one")
    evil = "<script>alert(1)</script>"
    folder.write_rollbacks([{"iteration": 2, "to": 1, "reason": evil}])
    (folder.path / "diagnosis.json").write_text(json.dumps({"figures": [figure(evil)]}))
    (folder.path / "evaluation").mkdir()
    table = {"iteration": 3, "count": 8, "against": evil, "figures": [measured(evil)]}
    (folder.path / "evaluation/0000003.json").write_text(json.dumps(table))
    text = written(folder, ebmkit)
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") == 4


def figure(name: str) -> dict[str, Any]:
    return {"name": name, "mean": 1.0, "std": 2.0, "r_hat": 1.01, "bulk_ess": 100.0, "tail_ess": 90.0}


def measured(name: str) -> dict[str, Any]:
    return {"name": name, "value": 12.5, "error": None, "count": 8, "features": None}


def test_damaged_files_leave_their_part_out(run: Callable[..., RunFolder], ebmkit: Ebmkit) -> None:
    folder = run("one")
    folder.rollbacks.write_text("[1, 2")
    (folder.path / "diagnosis.json").write_text("[]")
    (folder.path / "evaluation").mkdir()
    (folder.path / "evaluation/0000003.json").write_bytes(b"\xff\xfe")
    for picture in (folder.path / "samples").glob("revised-*.png"):
        picture.write_bytes(b"no picture")
    page = Page(written(folder, ebmkit))
    assert not [has for tag, has in page.tags if tag == "img" and "revised" in (has["alt"] or "")]
    assert any(tag == "svg" for tag, _ in page.tags)


def test_several_runs_lie_over_each_other_with_what_differs(
    run: Callable[..., RunFolder], ebmkit: Ebmkit
) -> None:
    run("one")
    run("two", "--set", "revision.step_size=0.5", "--set", "run.seed=7")
    assert ebmkit("report", "one", "two", "-o", "both.html").out == "wrote both.html\n"
    page = Page(Path("both.html").read_text())
    texts = " ".join(" ".join(page.texts).split())
    assert re.search(r"run\.seed 0 7", texts)
    assert re.search(r"revision\.step_size \S+ 0\.5", texts)
    lines = [has["class"] for tag, has in page.tags if tag == "polyline"]
    assert lines.count("run-0") == lines.count("run-1") > 5


def test_a_run_that_did_not_train_yet_and_no_run_at_all(
    run: Callable[..., RunFolder], ebmkit: Ebmkit
) -> None:
    folder = run("one")
    folder.metrics.unlink()
    assert "0 of" not in written(folder, ebmkit)  # the checkpoints say how far it is
    assert "no run 'three'" in ebmkit("report", "three").err
    wrong = ebmkit("report", "one", "-o", "nowhere/page.html")
    assert (wrong.code, wrong.err) == (
        2,
        "error: cannot write nowhere/page.html: No such file or directory\n",
    )


def test_figures_stand_beside_their_floor_and_ceiling(run: Callable[..., RunFolder], ebmkit: Ebmkit) -> None:
    folder = run("one")
    (folder.path / "evaluation").mkdir()
    bounds = {
        "floor": [{**measured("kid"), "value": 0.0625}],
        "ceiling": [{**measured("kid"), "value": None}],
    }
    table = {
        "iteration": 3,
        "count": 8,
        "against": "x",
        "figures": [measured("kid"), measured("swd")],
        **bounds,
    }
    (folder.path / "evaluation/0000003.json").write_text(json.dumps(table))
    text = written(folder, ebmkit)
    row = re.search(r"<tr><td>kid</td>(.*)</tr>", text)
    assert row is not None
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row[1])
    assert cells[2:4] == ["0.0625", ""]
    assert "<th>floor</th><th>ceiling</th>" in text
