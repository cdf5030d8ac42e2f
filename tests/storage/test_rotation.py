from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ebmkit.storage.checkpoint import newest_checkpoint, write_checkpoint
from ebmkit.storage.rotation import (
    checkpoint_folder,
    clean,
    discard,
    iteration_of,
    listed,
    publish,
    rotate,
    withdraw_after,
)
from tests.storage.test_checkpoint import checkpoint


def test_the_newest_stay_and_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / ".tmp-left-by-a-crash").mkdir()
    for iteration in (1, 2, 9, 10):
        write_checkpoint(tmp_path, checkpoint(iteration), keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["iteration-0000009", "iteration-0000010"]


def test_protected_iterations_stay_and_later_ones_can_be_withdrawn(tmp_path: Path) -> None:
    for iteration in (1, 2, 3, 4):
        write_checkpoint(tmp_path, checkpoint(iteration), keep=1, protected={2})
    assert [path.name[-1] for path in sorted(tmp_path.iterdir())] == ["2", "4"]
    withdraw_after(tmp_path, 2)
    assert [path.name[-1] for path in tmp_path.iterdir()] == ["2"]


def test_with_one_to_keep_a_damaged_newer_one_never_costs_the_good_one(tmp_path: Path) -> None:
    # Resumed from 1 because 5 is damaged, the run saves 2: 5 has the higher number and must go first.
    write_checkpoint(tmp_path, checkpoint(1), keep=2)
    (write_checkpoint(tmp_path, checkpoint(5), keep=2) / "manifest.json").write_bytes(b"")
    write_checkpoint(tmp_path, checkpoint(2), keep=1)
    found, refused = newest_checkpoint(tmp_path)
    assert (found.iteration, refused) == (2, [])


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        pass
    dead_one, living_one = (tmp_path / f".tmp-iteration-0000001-{pid}" for pid in (dead.pid, os.getppid()))
    for folder in (dead_one, living_one):
        folder.mkdir()
    write_checkpoint(tmp_path, checkpoint(1), keep=1)
    assert {path.name for path in tmp_path.glob(".*")} == {living_one.name}


def filled(folder: Path, name: str) -> Path:
    """A folder with a file that says how it was called."""
    path = folder / name
    path.mkdir()
    (path / "file").write_text(name)
    return path


def test_only_names_of_checkpoints_are_listed_and_by_number(tmp_path: Path) -> None:
    names = ["iteration-0000010", "iteration-0000009", "iteration-12345678", "iteration-0000009.new"]
    others = ["iteration-9", "iteration-0000011.old", ".trash-iteration-0000012-1-1", "iteration-00000x1"]
    for name in (*names, *others):
        filled(tmp_path, name)
    expected = ["iteration-0000009", "iteration-0000009.new", "iteration-0000010", "iteration-12345678"]
    assert [path.name for path in listed(tmp_path)] == expected
    assert [iteration_of(path) for path in listed(tmp_path)] == [9, 9, 10, 12345678]
    assert all(iteration_of(tmp_path / name) is None for name in others)


def test_the_folder_of_an_iteration_is_the_one_that_is_listed(tmp_path: Path) -> None:
    for iteration in (0, 7, 12_345_678):
        path = checkpoint_folder(tmp_path, iteration)
        path.mkdir()
        assert iteration_of(path) == iteration
    assert len(listed(tmp_path)) == 3


def test_what_is_published_takes_the_place_of_what_bore_its_name(tmp_path: Path) -> None:
    target = filled(tmp_path, "iteration-0000001")
    publish(filled(tmp_path, ".tmp-other"), target)
    assert (target / "file").read_text() == ".tmp-other"
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("old_is_there", [True, False])
def test_a_replacement_that_a_kill_cut_short_is_finished(tmp_path: Path, old_is_there: bool) -> None:
    """Between the two renames of a replacement both are there, or the new one alone under its other name."""
    if old_is_there:
        filled(tmp_path, "iteration-0000001")
    filled(tmp_path, "iteration-0000001.new")
    clean(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["iteration-0000001"]
    assert (tmp_path / "iteration-0000001/file").read_text() == "iteration-0000001.new"


def test_what_is_half_deleted_is_never_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path, "iteration-0000001")
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)  # the kill comes before anything is deleted
    discard(path)
    assert listed(tmp_path) == []
    assert [each.name.startswith(".trash-") for each in tmp_path.iterdir()] == [True]


def test_older_ones_go_but_for_the_protected_and_so_do_later_ones(tmp_path: Path) -> None:
    for iteration in range(1, 8):
        filled(tmp_path, f"iteration-{iteration:07d}")
    rotate(tmp_path, checkpoint_folder(tmp_path, 5), keep=2, protected={1})
    assert [iteration_of(path) for path in listed(tmp_path)] == [1, 4, 5]
