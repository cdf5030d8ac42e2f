from __future__ import annotations

from pathlib import Path

from tests.conftest import Ebmkit


def test_nothing_is_overwritten_and_no_name_is_taken_twice(tmp_path: Path, ebmkit: Ebmkit) -> None:
    (tmp_path / "ebmkit-mine").mkdir()
    (tmp_path / "ebmkit-mine/thesis.tex").write_text("years of work")
    outcome = ebmkit("plugins", "new", "mine", "--kind", "energy")
    assert (outcome.code, "exists" in outcome.err) == (2, True)
    assert [path.name for path in (tmp_path / "ebmkit-mine").iterdir()] == ["thesis.tex"]
    outcome = ebmkit("plugins", "new", "hmc", "--kind", "sampler")
    assert (outcome.code, "has this name already" in outcome.err) == (2, True)
    assert ebmkit("plugins", "new", "x", "--kind", "smapler").code == 2
