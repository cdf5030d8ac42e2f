"""Runs as the page of a report sees them, of what their files would tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ebmkit.report.page.story import Story
from ebmkit.storage.folder import RunFolder


def story(*lines: dict[str, Any], rollbacks: tuple[dict[str, Any], ...] = ()) -> Story:
    folder = RunFolder(Path("runs/it"))
    return Story(folder, {}, "", lines, rollbacks, {}, {}, [], {})
