from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from rich.console import Console

from ebmkit.report.metrics import read_metrics
from ebmkit.run.start import resume_run, start_run
from ebmkit.storage.folder import RunFolder
from tests.run.test_resume import final_state, same_bits
from tests.training.test_guard import plan_of

RunFile = Callable[[str], Path]


def test_who_watches_sees_what_is_logged_and_the_run_is_the_same(
    run_file: RunFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line of the metrics, also where one is left out but for an evaluation; and after a resume."""
    monkeypatch.chdir(tmp_path)
    sets = ("run.log_every=3", "evaluation.every=2", 'evaluation.metrics=["swd"]', "evaluation.count=8")
    folders = {name: RunFolder(Path(name)) for name in ("watched", "alone")}
    seen: dict[int, Mapping[str, float]] = {}
    for name, watch in (("watched", seen.__setitem__), ("alone", None)):
        quiet = Console(file=io.StringIO())
        for iterations, begin in ((4, start_run), (6, resume_run)):
            plan = plan_of(run_file("descriptor-only"), f"run.iterations={iterations}", *sets)
            assert begin(plan, folders[name], quiet, watch=watch) == 0
    lines = read_metrics(folders["watched"].metrics)
    assert lines == [{"iteration": iteration, **figures} for iteration, figures in seen.items()]
    assert [*seen] == [1, 2, 3, 4, 6]
    assert "evaluation_swd" in seen[2]
    assert same_bits(final_state(Path("watched")), final_state(Path("alone")))
