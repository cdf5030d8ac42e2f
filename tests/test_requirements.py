"""Installed versions against the bounds in ebmkit's metadata."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from ebmkit.requirements import DISTRIBUTION, too_old
from tests.conftest import Ebmkit


@pytest.fixture
def requires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Metadata of an ebmkit that needs a numpy of the future, as pip would leave it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    info = tmp_path / f"{DISTRIBUTION.replace('-', '_')}-9.dist-info"
    info.mkdir()
    needs = ["numpy>=99.1", "rich>=1,<1000", "pillow", "no-such-thing>=1"]
    needs += ['scipy>=98; extra == "recovery"', "pytest>=97; extra == 'test'"]
    lines = [f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: 9"]
    lines += [f"Requires-Dist: {each}" for each in needs]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_what_is_below_its_bound_is_named_with_what_to_do(requires: Path) -> None:
    numpy = f'numpy {np.__version__} is older than ebmkit needs: pip install "numpy>=99.1"'
    assert too_old() == [numpy]
    scipy = f'scipy {metadata.version("scipy")} is older than ebmkit needs: pip install "scipy>=98"'
    assert too_old(["recovery"]) == [numpy, scipy]


def test_doctor_says_so_and_so_does_a_part_that_fails(requires: Path, ebmkit: Ebmkit) -> None:
    doctor = ebmkit("doctor")
    assert doctor.code == 4
    assert "!!  versions     numpy" in doctor.out
    failed = ebmkit("plugins", "show", "sampler/langevim")
    assert failed.code == 4
    assert failed.err.endswith('older than ebmkit needs: pip install "numpy>=99.1"\n')


def test_a_command_that_cannot_even_be_imported_says_so(requires: Path) -> None:
    (requires / "typer.py").write_text("raise RuntimeError('Type not yet supported')\n")
    code = f"import sys; sys.path.insert(0, {str(requires)!r}); from ebmkit.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f'error: numpy {np.__version__} is older than ebmkit needs: pip install "numpy>=99.1"\n'
    )


def test_every_dependency_has_a_lower_bound_that_one_version_can_meet() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    for each in project["dependencies"] + extras:
        assert each.count(">=") + each.count("==") == 1, each
