from __future__ import annotations

import json
from pathlib import Path

import pytest

from ebmkit.report.page.render import page
from ebmkit.report.page.story import read_story
from ebmkit.storage.folder import RunFolder
from tests.report.page.stories import story


@pytest.fixture
def folder(exported: Path) -> RunFolder:
    return RunFolder(Path("runs/coopnets"))


def test_a_run_is_told_by_its_files(folder: RunFolder) -> None:
    found = read_story(folder)
    assert (found.iteration, found.text) == (6, folder.config.read_text())
    assert [line["iteration"] for line in found.lines] == [1, 2, 3, 4, 5, 6]
    assert list(found.pictures) == ["observed", "proposal", "revised", "reconstructed"]
    assert {tuple(each.iteration for each in of) for of in found.pictures.values()} == {(3, 6)}
    assert found.facts["data"]["examples"] == 12
    assert [each["iteration"] for each in found.evaluations] == [3, 6]
    assert (found.rollbacks, found.diagnosis) == ([], {})


def test_pictures_come_in_the_order_of_iterations_and_sets_of_ones_own_after_the_others(
    folder: RunFolder,
) -> None:
    samples = folder.path / "samples"
    for name in ("aura-0000003", "revised-10000000", "revised-2", "notes", "revised-x"):
        (samples / f"{name}.png").touch()
    found = read_story(folder).pictures
    assert list(found) == ["observed", "proposal", "revised", "reconstructed", "aura"]
    assert [each.iteration for each in found["revised"]] == [2, 3, 6, 10_000_000]
    assert all(each.path.is_file() and each.name == "revised" for each in found["revised"])


def test_what_is_missing_or_damaged_leaves_its_part_empty(folder: RunFolder) -> None:
    """Also a manifest, a list in the place of an object, and letters that are none."""
    (folder.path / "evaluation/0000003.json").write_text("[1, 2]")
    (folder.path / "evaluation/0000006.json").write_bytes(b"\xff")
    folder.diagnosis.write_text("{")
    folder.rollbacks.write_text('{"iteration": 2}\n{"iterat')
    (folder.checkpoints / "iteration-0000006/manifest.json").write_text("3")
    folder.metrics.unlink()
    found = read_story(folder)
    assert (found.evaluations, found.diagnosis, found.rollbacks, found.lines) == ([], {}, [], [])
    assert found.facts == {}
    assert found.iteration == 6  # by its checkpoints
    assert story().iteration == 0


def test_each_rollback_is_told_as_it_was_written(folder: RunFolder) -> None:
    written = [{"iteration": 4, "to": 2, "reason": "é"}, {"iteration": 5, "to": 2, "reason": "b"}]
    folder.write_rollbacks(written)
    assert read_story(folder).rollbacks == written
    assert json.loads(folder.rollbacks.read_text().splitlines()[0]) == written[0]


ODD = ("[]", "{}", '{"iteration": "x", "figures": 3}', '{"figures": [{"name": "kid"}]}', '{"data": 1}')


@pytest.mark.parametrize("text", ODD)
def test_a_file_of_another_form_leaves_its_part_empty_and_the_page_is_written(
    text: str, folder: RunFolder
) -> None:
    """As a newer or older release may have written it, or a hand."""
    for path in (folder.path / "evaluation/0000006.json", folder.diagnosis, folder.rollbacks):
        path.write_text(text)
    (folder.checkpoints / "iteration-0000006/manifest.json").write_text(text)
    found = read_story(folder)
    assert [each["iteration"] for each in found.evaluations] == [3]
    assert (found.diagnosis, found.rollbacks, found.facts) == ({}, [], {})
    assert "<html" in page([found])
