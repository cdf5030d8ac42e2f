"""``.ci/checks`` and ``.ci/run``: what they run, in which order, and that no failure is passed over.

The tools, this suite among them, are replaced by scripts that note how they were called.
"""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QUICK = ["ruff check .", "ruff format --check .", "mypy", "lint-imports"]
SUITE = "python -m pytest -n 2 --dist loadfile"
Done = subprocess.CompletedProcess[str]
TOOL = """#!/bin/sh
called="$(basename "$0")${*:+ $*}"
called=${called% --site-dir *}
echo "$called" >> "$CALLS"
[ "$called" != "$FAILING" ]
"""


def called(script: str, folder: Path, *options: str, failing: str = "") -> tuple[Done, list[str]]:
    """Run it with noting tools, of which one call may fail; how it ended, and the calls in their order."""
    for name in ("ruff", "mypy", "lint-imports", "python", "python3"):
        (folder / name).write_text(TOOL)
        (folder / name).chmod(0o755)
    calls = folder / "calls"
    calls.write_text("")
    environment = {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "CALLS": str(calls),
        "FAILING": failing,
        "TMPDIR": str(folder),
    }
    command = [ROOT / script, *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done, calls.read_text().splitlines()


checks = partial(called, ".ci/checks")


def test_all_of_it_begins_with_the_quick_checks_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done, calls = checks(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "all checks passed\n", "")
    assert calls[:5] == [*QUICK, SUITE]
    assert "python -m mkdocs build --strict" in calls
    begin = (
        f"{SUITE} tests/",
        f"{SUITE} -m slow tests/",
        f"{SUITE} --dist load -m slow tests/hostile",
        "python -m mkdocs build",
    )
    assert all(call.startswith(begin) for call in calls[5:])
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_fast_is_the_quick_checks(tmp_path: Path) -> None:
    done, calls = checks(tmp_path, "--fast")
    assert (done.returncode, calls) == (0, QUICK)


def test_tested_is_all_but_the_suite(tmp_path: Path) -> None:
    _, everything = checks(tmp_path)
    done, calls = checks(tmp_path, "--tested")
    assert (done.returncode, done.stdout) == (0, "all checks passed\n")
    assert calls == [call for call in everything if call != SUITE]
    assert len(calls) == len(everything) - 1


def test_run_is_the_readmes_command_in_a_new_environment_and_then_the_rest(tmp_path: Path) -> None:
    _, rest = checks(tmp_path, "--tested")
    done, (venv, install, suite, tools, *calls) = called(".ci/run", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert venv.startswith(f"python3 -m venv {tmp_path}/")
    readme = f"{install} && {suite}".replace("-e ", "-e '").replace("]", "]'")  # as the shell reads it
    assert f"<!-- tests -->\n```sh\n{readme}\n```\n" in (ROOT / "README.md").read_text()
    assert suite == SUITE
    extras = "docs,evaluate,inception,lint,sweep,tensorboard"
    assert tools == f"python -m pip install --quiet -c constraints.txt -e .[{extras}]"
    assert calls == rest
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_whatever_fails_ends_it(tmp_path: Path) -> None:
    _, everything = checks(tmp_path)
    for number, call in enumerate(everything):
        done, calls = checks(tmp_path, failing=call)
        assert done.returncode != 0, call
        assert "all checks passed" not in done.stdout
        assert calls == everything[: number + 1]


@pytest.mark.parametrize("options", [("--slow",), ("--fast", "--tested"), ("tests",)])
def test_an_option_that_it_has_not_is_refused(options: tuple[str, ...], tmp_path: Path) -> None:
    done, calls = checks(tmp_path, *options)
    assert (done.returncode, done.stdout, calls) == (2, "", [])
    assert done.stderr == "usage: .ci/checks [--fast | --tested]\n"


def test_a_command_that_the_readme_has_not_is_no_empty_one() -> None:
    done = subprocess.run([ROOT / ".ci/readme", "nothing"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
