"""``ebmkit plugins new``: what it writes builds, installs, passes its checks and trains, as it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from trove_classifiers import classifiers

from ebmkit.registry.kinds import KINDS
from ebmkit.scaffold import write_plugin
from tests.conftest import Ebmkit

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/third_party_sampler"


def succeed(command: list[object], cwd: Path, env: dict[str, str] | None = None) -> str:
    command = list(map(str, command))
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment that sees this one's packages."""
    folder = tmp_path_factory.mktemp("environment")
    new_environment(folder)
    return folder / "bin/python"


def new_environment(folder: Path) -> Path:
    """Make a virtual environment that sees this one's packages; the folder of its own."""
    venv.create(folder, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    (packages / "parent.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return packages


@pytest.mark.slow  # the page's own commands, below, take a sampler the same way in every run of the suite
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_builds_installs_passes_its_checks_and_trains(
    kind: str, python: Path, ebmkit: Ebmkit, tmp_path: Path
) -> None:
    outcome = ebmkit("plugins", "new", f"my-{kind}", "--kind", kind)
    assert outcome.code == 0, outcome.err
    project = tmp_path / f"ebmkit-my-{kind}"
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    offline = ["--quiet", "--no-index", "--no-deps"]
    succeed([*pip, "wheel", *offline, "--no-build-isolation", "-w", tmp_path / "dist", project], tmp_path)
    (wheel,) = (tmp_path / "dist").iterdir()
    assert_licensed(wheel)
    succeed([*pip, "install", *offline, wheel], tmp_path)
    listed = json.loads(succeed([python, "-m", "ebmkit", "plugins", "list", "--json"], tmp_path))
    (part,) = [each for each in listed["parts"] if each["name"] == f"my-{kind}"]
    assert (part["kind"], part["distribution"], part["version"]) == (kind, f"ebmkit-my-{kind}", "0.1.0")
    succeed([python, "-m", "ebmkit", "plugins", "check", f"{kind}/my-{kind}", "--quick"], tmp_path)
    trained = succeed([python, "-m", "ebmkit", "run", "example.toml"], project)
    assert "done: 20 iterations" in trained
    manifest = next((project / "runs/example/checkpoints").glob("*/manifest.json")).read_text()
    assert (f"ebmkit-my-{kind}" in manifest) == is_named(kind)
    succeed([python, "-m", "ebmkit", "sample", "example", "--count", 3], project)
    collected = succeed([python, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"], project)
    assert f"TestMy{kind.capitalize()}" in collected or not has_checks(kind)


def assert_licensed(wheel: Path) -> None:
    """It says whose it is and under which licence, and carries the licence's text."""
    with zipfile.ZipFile(wheel) as archive:
        (folder,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        said = message_from_bytes(archive.read(f"{folder}/METADATA"))
        assert archive.read(f"{folder}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert (said["License-Expression"], said["Author"]) == ("Apache-2.0", "Your Name")
    assert {"Typing :: Typed"} <= set(said.get_all("Classifier", [])) <= classifiers


@pytest.fixture
def offline(tmp_path: Path) -> Path:
    """The programs of a new virtual environment that sees this one's packages, but no editables."""
    folder = tmp_path / "offline"
    packages = new_environment(folder)
    (packages / "editables.py").write_text("raise ImportError('the page does not ask for it')")
    for name in ("ebmkit", "pip"):
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m {name} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin"


def test_the_page_on_samplers_begins_a_plugin_without_a_network(offline: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs/writing-a-sampler.md").read_text()
    (install,) = re.findall(r"`(pip install --no-build-isolation [^`]*)`", page)
    begin = re.search(r"## Begin\n\n```sh\n(.*?)```", page, re.DOTALL)
    assert begin is not None
    commands = begin[1].splitlines()
    commands[commands.index("pip install -e .")] = install
    environment = {
        **os.environ,
        "PATH": f"{offline}:{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",  # without the example, which has the same name
    }
    said = succeed(["bash", "-euc", "\n".join(commands)], tmp_path, env=environment)
    assert "Successfully installed ebmkit-my-mala-0.1.0" in said
    assert "done: 20 iterations" in said
    place = "import ebmkit_my_mala; print(ebmkit_my_mala.__file__)"
    found = succeed(["python", "-c", place], tmp_path, env=environment)
    assert Path(found.strip()).is_relative_to(tmp_path / "ebmkit-my-mala")  # a changed file counts at once


def is_named(kind: str) -> bool:
    """Whether the example names the part; others are found where they are needed."""
    return kind not in ("backend", "encoder", "metric", "features")


def has_checks(kind: str) -> bool:
    from ebmkit.testing import CHECKS

    return bool(CHECKS[kind])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_is_typed_and_clean(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    project = write_plugin("mine", kind, tmp_path)
    ruff = [sys.executable, "-m", "ruff"]  # with the settings of its own pyproject.toml
    succeed([*ruff, "check", "."], project)
    succeed([*ruff, "check", "--isolated", "."], project)  # and with the default ones
    succeed([*ruff, "format", "--check", "."], project)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache"]
    succeed([*mypy, "."], project)  # its tests too


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_there_and_name_the_part(kind: str, tmp_path: Path) -> None:
    project = write_plugin("ebmkit-two-words", kind, tmp_path)
    assert project.name == "ebmkit-two-words"
    metadata = tomllib.loads((project / "pyproject.toml").read_text())
    assert metadata["project"]["entry-points"]["ebmkit"] == {"two-words": "ebmkit_two_words"}
    example = tomllib.loads((project / "example.toml").read_text())
    if is_named(kind):
        for name in str(KINDS[kind].table).split("."):
            example = example[name]
        assert example["use"] == "two-words"
    assert "class TwoWords(" in (project / "ebmkit_two_words/two_words.py").read_text()
    workflow = (project / ".github/workflows/tests.yml").read_text()
    assert "${{ matrix.python }}" in workflow
    for path in project.rglob("*"):
        if path.is_file() and path.suffix != ".png":
            assert "pypi" not in path.read_text().lower()
    assert (project / "ebmkit_two_words/py.typed").exists()


def test_the_example_of_the_tutorial_is_what_is_written_with_the_sampler_filled_in(tmp_path: Path) -> None:
    project = write_plugin("my-mala", "sampler", tmp_path)
    assert (EXAMPLE / "pyproject.toml").read_text() == (project / "pyproject.toml").read_text()
    assert (EXAMPLE / "LICENSE").read_bytes() == (project / "LICENSE").read_bytes()
    for path in EXAMPLE.rglob("*.py"):
        written = (project / path.relative_to(EXAMPLE)).read_text()
        filled_in = path.name in ("my_mala.py", "test_my_mala.py")
        assert filled_in or path.read_text() == written


@pytest.mark.parametrize(
    "name", ["Mala", "1st", "a--b", "a_b", "a/b", "../up", "class", "ebmkit-", "-a", "ü"]
)
def test_what_is_no_name_is_refused(name: str, tmp_path: Path, ebmkit: Ebmkit) -> None:
    outcome = ebmkit("plugins", "new", "--kind", "sampler", "--", name)
    assert outcome.code == 2
    assert "is not a name for a part" in outcome.err
    assert list(tmp_path.iterdir()) == []
