"""The checks as classes that pytest collects."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ebmkit.testing import CHECKS
from tests.testing.test_kit import WRONG


def test_the_class_collects_one_test_for_each_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong.py").write_text(WRONG % {"input-unchanged": "it is a demonstration"})
    (tmp_path / "test_wrong.py").write_text(
        "from wrong import Wrong\nfrom ebmkit.testing import SamplerChecks\n\n\n"
        "class TestWrong(SamplerChecks):\n    component = Wrong\n    quick = True\n"
    )
    options = ["-q", "-rxs", "-c", "/dev/null", "-p", "no:cacheprovider", "--rootdir", tmp_path]
    pytest.main([*map(str, options), str(tmp_path / "test_wrong.py")])
    out = capsys.readouterr().out
    counts = {kind: int(n) for n, kind in re.findall(r"(\d+) (passed|failed|skipped|xfailed)", out)}
    assert sum(counts.values()) == len(CHECKS["sampler"]), out
    assert counts["xfailed"] == 1
    assert "it is a demonstration" in out
    assert "no law is claimed" in out
