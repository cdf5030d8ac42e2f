from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Ebmkit
from tests.judged import EVERY

RunFile = Callable[[str], Path]


def test_held_out_examples_are_opened_by_keys_of_the_data(
    run_file: RunFile, ebmkit: Ebmkit, images: Path
) -> None:
    ebmkit("run", run_file("coopnets"), "--set", "run.output=runs/one", "--set", "data.limit=6", *EVERY)
    held_out = ebmkit(
        "evaluate", "one", "--against", "held-out", "--set", "data.skip=2", "--set", "data.limit=4"
    )
    assert "against 4 held-out examples" in held_out.out
    assert (
        f"against {len(list(images.iterdir()))} held-out"
        in ebmkit("evaluate", "one", "--against", images).out
    )
    lacking = ebmkit("evaluate", "one", "--against", "held-out")
    assert lacking.code == 2
    assert "--set data.KEY=VALUE" in lacking.err
