from __future__ import annotations

from pathlib import Path

from ebmkit.report.losses import OutputLog


def test_each_stream_that_is_lost_is_noted_once_with_where_the_run_was(tmp_path: Path) -> None:
    lost: dict[str, str] = {}
    log = OutputLog(tmp_path / "output.log", lost)
    log.note(1)
    assert not log.path.exists()
    lost["stdout"] = "Broken pipe"
    for iteration in (2, 3):
        log.note(iteration)
    lost["stderr"] = "No space left on device"
    log.note(4)
    assert [line.split(": ", 1)[1] for line in log.path.read_text().splitlines()] == [
        "stdout cannot be written (Broken pipe); trains on from iteration 2",
        "stderr cannot be written (No space left on device); trains on from iteration 4",
    ]


def test_what_could_not_be_noted_is_tried_again(tmp_path: Path) -> None:
    log = OutputLog(tmp_path / "gone/output.log", {"stdout": "Broken pipe"})
    log.note(1)
    log.path.parent.mkdir()
    log.note(2)
    assert log.path.read_text().endswith(" trains on from iteration 2\n")
