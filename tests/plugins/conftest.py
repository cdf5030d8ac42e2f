"""A tiny run with a tracker."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.core.tracker import Tracker
from ebmkit.registry.discovery import Registry
from ebmkit.run import start
from ebmkit.run.recorders import Every
from ebmkit.run.session import Session
from ebmkit.run.start import resume_run, start_run
from ebmkit.run.tracking import Tracking
from ebmkit.storage.folder import RunFolder

RunFile = Callable[[str], Path]
Train = Callable[..., RunFolder]


@pytest.fixture
def train(run_file: RunFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Train the tiny run with a tracker, or go on with it."""
    monkeypatch.chdir(tmp_path)
    original = start.session_of

    def trained(make: Callable[[], Tracker] | None, *sets: str) -> RunFolder:
        def tracked(folder: RunFolder, training: Any, *rest: Any, **options: Any) -> Session:
            session = original(folder, training, *rest, **options)
            if make is not None:
                every, figures = Every(1, training.plan.run.iterations), session.recorders.members[0].figures  # type: ignore[attr-defined]
                recorder = Tracking("tracker", make, folder, training.plan.tables(), every, every, figures)
                session.recorders.members = [*session.recorders.members, recorder]
            return session

        monkeypatch.setattr(start, "session_of", tracked)
        folder = RunFolder(Path("run"))
        plan = make_plan(read_document(run_file("coopnets"), sets), Registry.discover())
        begin = resume_run if folder.config.exists() else start_run
        assert begin(plan, folder, Console(file=io.StringIO())) == 0
        return folder

    return trained
