from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from ebmkit.testing import (
    CHECKS,
    SourceClaims,
    check,
)
from ebmkit_images.files import Folder
from ebmkit_images.samples import write_folder


def test_settings_win_over_the_files_of_the_claims(images: Path) -> None:
    claims = attrs.evolve(Folder.conformance(), settings={"path": str(images), "size": 8})
    (result,) = check(Folder, claims, only=["examples"]).results
    assert result.detail.startswith("12 of shape (3, 8, 8)")


def test_the_files_of_the_claims_go_with_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen = []

    def write(folder: Path) -> Mapping[str, Any]:
        seen.append(folder)
        return write_folder(folder)

    assert check(Folder, SourceClaims(files=write)).passed
    assert len(seen) == len(CHECKS["source"])
    assert list(tmp_path.iterdir()) == []
