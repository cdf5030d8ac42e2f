"""A sampler from another distribution: installed beside ebmkit, listed, trained with."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1] / "examples/third_party_sampler"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment that sees this one's packages, with ebmkit-my-mala installed into it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    scripts = folder / "bin"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    # addsitedir also reads the .pth files there, so that an editable ebmkit is found.
    (packages / "parent.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    subprocess.run(
        [
            *(scripts / "python", "-m", "pip", "install", "--quiet"),
            *("--no-build-isolation", "--no-deps", "--no-index", PROJECT),
        ],
        check=True,
    )
    return scripts


def ebmkit(environment: Path, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [environment / "python", "-m", "ebmkit", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_it_is_listed_with_its_distribution(environment: Path, tmp_path: Path) -> None:
    listed = ebmkit(environment, "plugins", "list", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    line = lines[lines.index("ebmkit-my-mala 0.1.0") + 1]
    assert line.split()[:2] == ["sampler", "my-mala"]
    assert line.endswith("invariant.")  # not a terminal: nothing is cut
    shown = ebmkit(environment, "plugins", "show", "sampler/my-mala", cwd=tmp_path)
    assert "step_size" in shown.stdout
    assert "> 0" in shown.stdout


def test_it_trains_and_resumes(environment: Path, tmp_path: Path, run_file: Callable[[str], Path]) -> None:
    file = run_file("coopnets")
    use = ("--set", "revision.use=ebmkit-my-mala:my-mala", "--set", "revision.step_size=0.01")
    trained = ebmkit(environment, "run", file, *use, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    lines = [json.loads(line) for line in (tmp_path / "runs/coopnets/metrics.jsonl").read_text().splitlines()]
    assert all(0 < line["revision_acceptance"] <= 1 for line in lines)
    facts = json.loads(next((tmp_path / "runs/coopnets/checkpoints").glob("*/manifest.json")).read_text())
    assert "ebmkit-my-mala" in json.dumps(facts)
    resumed = ebmkit(environment, "resume", "coopnets", "--set", "run.iterations=8", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert 'use = "ebmkit-my-mala:my-mala"' in (tmp_path / "runs/coopnets/config.toml").read_text()


def test_its_own_tests_pass(environment: Path) -> None:
    command = [
        environment / "python",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
        PROJECT,
    ]
    outcome = subprocess.run(command, cwd=environment, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout
