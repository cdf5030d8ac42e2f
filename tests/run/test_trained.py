"""A run folder whose run file was broken or edited: one message with its place, and no command goes on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ebmkit.cli import main
from ebmkit.config.pages import pages
from tests.conftest import RUN_FILES, Ebmkit, write_images

COMMANDS = ("sample", "interpolate", "complete --image images/00.png", "diagnose", "recover --mask-size 6")
EDITS = {
    "a value": (r"reference_std = 0.3", "reference_std = 0.1", "E113", "it was: 0.3"),
    "a default": (r"leak = 0.2", "leak = 0.1", "E113", "it was: "),
    "a list": (r"strides = \[\s*2,\s*2,\s*\]", "strides = [1, 2]", "E113", "it was: [2, 2]"),
    "in a table inside": (r"lr = 0.001", "lr = 0.1", "E113", "it was: 0.001"),
    "a switch": (r"noise = true", "noise = false", "E113", "it was: true"),
    "a typing mistake": (r"reference_std", "refrence_std", "E103", "did you mean 'reference_std'?"),
    "half a file": (r"\[energy\][\s\S]*", "[energy", "E101", "not TOML"),
    "a part that is not there": (r'use = "langevin"', 'use = "mine"', "E107", "no sampler named 'mine'"),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a run in it, trained once for all."""
    home = tmp_path_factory.mktemp("home")
    write_images(home / "images")
    (home / "it.toml").write_text(RUN_FILES["coopnets"].replace("{images}", str(home / "images")))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(home)
        patched.setattr("sys.argv", ["ebmkit", "run", "it.toml", "--set", "run.iterations=1"])
        with pytest.raises(SystemExit, match=r"^0$"):
            main()
    yield home
    shutil.rmtree(home)


@pytest.fixture
def edit(trained: Path, tmp_path: Path, ebmkit: Ebmkit) -> Callable[[str, str], int]:
    """Edit the run file of a copy of the run, in the current folder; the line."""
    for each in trained.iterdir():
        if each.is_dir():
            shutil.copytree(each, tmp_path / each.name)
    config = tmp_path / "runs/it/config.toml"

    def change(pattern: str, replacement: str) -> int:
        text = config.read_text()
        place = re.search(pattern, text)
        assert place is not None
        config.write_text(text[: place.start()] + replacement + text[place.end() :])
        return text.count("\n", 0, place.start()) + 1

    return change


@pytest.mark.parametrize("mistake", EDITS)
def test_an_edited_run_file_is_refused_at_its_line(
    mistake: str, edit: Callable[[str, str], int], ebmkit: Ebmkit
) -> None:
    pattern, replacement, code, said = EDITS[mistake]
    line = edit(pattern, replacement)
    outcome = ebmkit("sample", "it", "--count", "2")
    assert outcome.code == (4 if code == "E107" else 2)
    assert f"error[{code}]" in outcome.err
    assert f"--> runs/it/config.toml:{line}:" in outcome.err
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("runs/it/generated").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_uses_a_run_looks(
    command: str, edit: Callable[[str, str], int], ebmkit: Ebmkit
) -> None:
    name, *options = command.split()
    line = edit(*EDITS["a value"][:2])
    outcome = ebmkit(name, "it", *options)
    assert outcome.code == 2
    assert f"--> runs/it/config.toml:{line}:" in outcome.err


def test_an_energy_taken_from_an_edited_run_is_refused_in_that_run(
    edit: Callable[[str, str], int], ebmkit: Ebmkit, tmp_path: Path
) -> None:
    line = edit(*EDITS["a value"][:2])
    text = RUN_FILES["sampling-hidden"].replace("{images}", str(tmp_path / "images"))
    taken = re.sub(r"\[energy\]\n(.+\n)+", '[energy]\nuse = "from-run"\nrun = "it"\n', text)
    Path("other.toml").write_text(taken)
    outcome = ebmkit("check", "other.toml")
    assert outcome.code == 2
    assert outcome.err.count("error") == 2  # the error, and the count of errors
    assert f"--> runs/it/config.toml:{line}:" in outcome.err


def test_keys_on_which_no_weight_depends_may_be_edited(
    edit: Callable[[str, str], int], ebmkit: Ebmkit
) -> None:
    edit(r"iterations = 1\b", "iterations = 7")
    edit(r"batch = 5", "batch = 4")
    edit(r"rollbacks = 3", "rollbacks = 0")
    assert ebmkit("sample", "it", "--count", "2").code == 0


def test_without_a_name_the_last_run_is_meant(edit: Callable[[str, str], int], ebmkit: Ebmkit) -> None:
    edit(r"iterations = 1\b", "iterations = 7")
    assert "2 samples of it after iteration 1" in ebmkit("sample", "--count", "2").out
    shutil.rmtree("runs")
    assert "no run under runs/ yet" in ebmkit("sample").err


def test_a_table_put_in_is_an_edit(edit: Callable[[str, str], int], ebmkit: Ebmkit) -> None:
    line = edit(r"\[schedule\]", '[inference]\nuse = "langevin"\n\n[schedule]')
    outcome = ebmkit("sample", "it")
    assert "this run was trained without a table [inference]" in outcome.err
    assert f"--> runs/it/config.toml:{line}:" in outcome.err


def test_the_example_of_the_page_is_that_mistake() -> None:
    wrong, right = re.findall(r"```toml\n(.*?)\n```", pages()["E113"], re.DOTALL)
    assert wrong.replace("0.1", "0.05") == right


@pytest.mark.parametrize("command", [each for each in COMMANDS if each != "diagnose"])
@pytest.mark.parametrize("output", ["file", "file/below", "/proc/here"])
def test_an_output_that_cannot_be_written_is_refused(
    command: str, output: str, edit: Callable[[str, str], int], ebmkit: Ebmkit
) -> None:
    Path("file").write_text("mine")
    name, *options = command.split()
    outcome = ebmkit(name, "it", *options, "--output", output)
    assert outcome.code == 2
    assert f"cannot write {output}" in outcome.err
    assert "Traceback" not in outcome.err
    assert Path("file").read_text() == "mine"
