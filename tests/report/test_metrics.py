from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from ebmkit.report.metrics import MetricsLog, read_metrics


def test_what_is_logged_is_read_infinities_too(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl", after=0)
    log.append(1, {"loss": -1.5})
    log.append(2, {"loss": math.inf, "seconds": 0.1})
    assert read_metrics(log.path) == [
        {"iteration": 1, "loss": -1.5},
        {"iteration": 2, "loss": math.inf, "seconds": 0.1},
    ]


def test_a_resumed_run_forgets_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl", after=0)
    for iteration in (10, 20, 30):
        log.append(iteration, {})
    again = MetricsLog(log.path, after=20)
    again.append(30, {"again": 1.0})
    assert read_metrics(log.path) == [{"iteration": 10}, {"iteration": 20}, {"iteration": 30, "again": 1.0}]
    again.cut(10)
    assert read_metrics(log.path) == [{"iteration": 10}]


@pytest.mark.parametrize(
    "torn", [b'{"iteration": 2, "lo', b'{"iteration": 2}', b"\x00\x00\n", b"[]\n", b'{"loss": 1}\n', b"7\n"]
)
def test_a_line_that_is_torn_or_none_is_passed_over_and_cut(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "metrics.jsonl"
    whole = json.dumps({"iteration": 1, "loss": 2.0}).encode() + b"\n"
    path.write_bytes(whole + torn)
    assert read_metrics(path) == [{"iteration": 1, "loss": 2.0}]
    MetricsLog(path, after=100).append(2, {})
    assert path.read_bytes() == whole + b'{"iteration": 2}\n'


def test_there_is_nothing_to_read_before_there_is_a_file(tmp_path: Path) -> None:
    assert read_metrics(tmp_path / "metrics.jsonl") == []
    MetricsLog(tmp_path / "metrics.jsonl", after=0)
    assert read_metrics(tmp_path / "metrics.jsonl") == []
