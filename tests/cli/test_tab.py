"""What a shell gets at <TAB>, asked for the way it asks."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebmkit.registry.trust import remember
from tests.conftest import Ebmkit

SOURCE = """
from ebmkit.core import Source


class Rows(Source):
    def __init__(self, *, width: int = 3) -> None:
        self.shape = (width,)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index):
        return index
"""
ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("ebmkit")
FACES = "examples/coopnets_faces.toml"


def complete(line: str, *, cwd: Path = ROOT) -> list[str]:
    """The last word of a line, completed as bash does."""
    count = len(line.split()) - (not line.endswith(" "))
    environment = os.environ | {
        "_EBMKIT_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(count),
    }
    done = subprocess.run([SCRIPT], env=environment, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split()


pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the command is not installed beside this Python")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ebmkit plugins show sampler/l", ["sampler/langevin"]),
        ("ebmkit plugins check samplers/l", ["samplers/langevin"]),
        (f"ebmkit run {FACES} --set revision.ste", ["revision.step_size=", "revision.steps="]),
        (
            f"ebmkit check {FACES} --set energy.optimizer.lr_",
            [f"energy.optimizer.lr_{end}=" for end in ("decay", "span")],
        ),
        (f"ebmkit run {FACES} --set schedule.use=g", ["schedule.use=generator-only"]),
        (f"ebmkit run {FACES} --set data.mirror=", ["data.mirror=true", "data.mirror=false"]),
        (f"ebmkit run {FACES} --set run.device=c", ["run.device=cpu", "run.device=cuda"]),
        ("ebmkit explain E10", [f"E10{digit}" for digit in range(1, 10)]),
        ("ebmkit run not/there.toml --set revision.", []),
        ("ebmkit plugins show nothing/", []),
    ],
)
def test_keys_values_parts_and_codes_are_offered(line: str, expected: list[str]) -> None:
    assert complete(line) == expected


def test_runs_and_the_keys_of_a_run_are_offered(tmp_path: Path) -> None:
    run = tmp_path / "runs/faces-3"
    run.mkdir(parents=True)
    (run / "config.toml").write_bytes((ROOT / FACES).read_bytes())
    assert complete("ebmkit resume fa", cwd=tmp_path) == ["faces-3"]
    assert complete("ebmkit resume faces-3 --set run.iter", cwd=tmp_path) == ["run.iterations="]


def test_keys_of_code_beside_the_run_file_are_offered_once_it_was_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ebmkit: Ebmkit
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own/rows.py").write_text(SOURCE)
    (tmp_path / "own/it.toml").write_text('[data]\nuse = "rows.py:Rows"\n')
    line = "ebmkit check own/it.toml --set data.wi"
    assert complete(line, cwd=tmp_path) == []
    remember(hashlib.sha256(SOURCE.encode()).hexdigest(), str(tmp_path / "own/rows.py"))
    assert complete(line, cwd=tmp_path) == ["data.width="]


def test_a_home_that_cannot_be_written_is_one_message(
    ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/proc")
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")  # no shell may have started this
    outcome = ebmkit("--install-completion", "bash")
    assert outcome.code == 2
    assert outcome.err == (
        "error: cannot install the completion: [Errno 2] No such file or directory: '/proc/.bashrc'; "
        "--show-completion prints it\n"
    )
