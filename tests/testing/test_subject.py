from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from ebmkit.core import Sampler
from ebmkit.testing import (
    CHECKS,
    Claims,
    SamplerClaims,
    SourceClaims,
    check,
)
from ebmkit.testing.parts import TinyEnergy, TinyGenerator
from ebmkit.testing.subject import Subject, kind_of
from ebmkit_images.files import Folder
from ebmkit_images.samples import write_folder
from ebmkit_langevin.langevin import Langevin


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


def test_changes_win_over_the_claimed_settings_and_parts_come_by_position() -> None:
    subject = Subject(dict, Claims(settings={"a": 1, "b": 2}))
    assert subject.make({"c": 3}, b=5) == {"c": 3, "a": 1, "b": 5}


@pytest.mark.parametrize(
    ("component", "kind"),
    [
        (Sampler, "sampler"),
        (Langevin, "sampler"),
        (TinyEnergy, "energy"),
        (TinyGenerator, "generator"),
        (Folder, "source"),
        (dict, None),
        (Langevin(step_size=1.0), None),
        (lambda: Langevin(step_size=1.0), None),
    ],
)
def test_a_class_is_of_the_kind_that_it_is_derived_from_and_nothing_else_is_of_one(
    component: Any, kind: str | None
) -> None:
    assert kind_of(component) == kind


def test_a_part_takes_what_its_signature_names() -> None:
    subject = Subject(Langevin, SamplerClaims())
    assert [subject.takes(name) for name in ("step_size", "temperature", "stepsize")] == [True, True, False]


def test_without_files_to_write_there_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "not there"))
    subject = Subject(Langevin, SamplerClaims())
    with subject.furnished() as furnished:
        assert furnished is subject
