"""A run and its export, made once for all tests of what is done with them."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from ebmkit.cli import main
from tests.conftest import RUN_FILES, Ebmkit, write_images

JUDGED = [
    *("--set", "evaluation.every=3", "--set", "evaluation.count=8"),
    *("--set", 'evaluation.metrics=["kid"]', "--set", "evaluation.features=pixels"),
]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run and its export, made once for all tests."""
    folder = tmp_path_factory.mktemp("made")
    images = write_images(folder / "images")
    (folder / "coopnets.toml").write_text(RUN_FILES["coopnets"].replace("{images}", str(images)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in (["run", "coopnets.toml", *JUDGED], ["export", "coopnets", "out"]):
            patch.setattr("sys.argv", ["ebmkit", *words])
            with suppress(SystemExit):
                main()
    return folder


@pytest.fixture
def exported(made: Path, tmp_path: Path, ebmkit: Ebmkit) -> Path:
    """The path of an export beside its run, in a folder of this test's own."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Path("out")
