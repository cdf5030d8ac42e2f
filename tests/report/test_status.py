from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ebmkit.report.status import read_status
from ebmkit.storage.folder import RunFolder
from tests.run.test_resume import wait_for
from tests.run.test_rollback import plant  # noqa: F401 - a fixture

RunFile = Callable[[str], Path]


def test_a_run_is_running_until_it_is_killed(run_file: RunFile, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ebmkit", "run", str(run_file("coopnets"))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    folder = RunFolder(tmp_path / "runs/coopnets")
    with subprocess.Popen(
        [*command, "--set", "run.iterations=1000000"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(folder.grid("revised", 3), seconds=120)
            running = read_status(folder)
        finally:
            process.kill()
    assert running.state == "running"
    assert running.rate is not None
    assert running.remaining is not None
    assert read_status(folder).state == "killed"
