"""The cases written by hand, one for each form of a fault that was found in the field."""

from __future__ import annotations

from pathlib import Path

from tests.hostile.driver import Case

FOLDER = Path(__file__).parent / "cases"


def named() -> list[Case]:
    """All of them, by name."""
    texts = sorted(FOLDER.glob("[a-z]*_*.py"))
    return [Case(text.stem, text.read_text()) for text in texts if text.stem != "__init__"]
