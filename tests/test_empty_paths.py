"""An empty path, as a shell makes it of a variable that is not set, names nothing: not even this folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.config import describe, read_document
from ebmkit.errors import RunDirectoryError
from ebmkit.parameters.ranges import broken_bound
from ebmkit.parameters.signature import REQUIRED
from ebmkit.registry.discovery import Registry
from ebmkit.registry.kinds import KINDS
from ebmkit.storage.folder import find_run
from ebmkit_images.files import Folder, Zip
from tests.conftest import RUN_FILES, Ebmkit

RunFile = Callable[[str], Path]


@pytest.fixture
def nothing_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing the root or the folder that the command is called in fails the test."""
    listed = os.scandir
    forbidden = {os.path.realpath("/"), os.path.realpath(Path.cwd())}

    def scandir(path: object = ".") -> object:
        assert os.path.realpath(str(path)) not in forbidden, path
        return listed(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", scandir)


@pytest.mark.usefixtures("nothing_is_walked")
@pytest.mark.parametrize("key", ["data.path", "data.pattern", "run.output", "energy.use", "run.iterations"])
@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize("command", ["run", "check"])
def test_set_takes_no_empty_value_of_any_key(
    command: str, value: str, key: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    outcome = ebmkit(command, run_file("coopnets"), "--set", f"{key}={value}")
    assert outcome.code == 2
    assert f"error[E110]: --set {key}= gives no value: is a shell variable not set?" in outcome.err
    assert f"an empty text is written --set '{key}=\"\"'" in outcome.err
    assert not Path("runs").exists()


@pytest.mark.usefixtures("nothing_is_walked")
@pytest.mark.parametrize("use", ["folder", "zip"])
def test_an_empty_path_in_a_run_file_is_refused(use: str, ebmkit: Ebmkit, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(RUN_FILES["coopnets"].replace('"folder"', f'"{use}"').replace("{images}", ""))
    outcome = ebmkit("run", file)
    assert outcome.code == 2
    assert "error[E105]: 'path' must be not empty, got ''" in outcome.err


def test_every_text_that_a_part_cannot_do_without_may_not_be_empty() -> None:
    registry, seen = Registry.discover(), []
    for component in (each for kind in KINDS for each in registry.components(kind)):
        for parameter in component.signature.parameters:
            if parameter.default is REQUIRED and describe(parameter.hint).startswith("str"):
                seen.append(f"{component.name}.{parameter.name}")
                assert broken_bound(parameter.hint, "") == "not empty", seen[-1]
    assert {"folder.path", "zip.path", "from-run.run"} <= set(seen)


@pytest.mark.parametrize("source", [Folder, Zip])
def test_an_empty_path_is_refused_in_python(source: type[Folder | Zip]) -> None:
    with pytest.raises(ValueError, match="path must be not empty"):
        source(path="")


def test_an_empty_name_of_a_run_is_not_the_last_run(run_file: RunFile, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", run_file("coopnets"), "--set", "run.iterations=1").code == 0
    assert find_run(None).name == "coopnets"
    with pytest.raises(RunDirectoryError, match="the name of the run is empty"):
        find_run("")


@pytest.mark.parametrize(
    "words",
    [
        ("run", ""),
        ("check", ""),
        ("resume", ""),
        ("sample", ""),
        ("recover", "x", "--data", ""),
        ("recover", "x", "--data="),
        ("recover", "x", "--output", ""),
        ("complete", "x", "--image", ""),
        ("complete", "x", "--image", "a.png", "--mask="),
        ("run", "x.toml", "--init-from", ""),
        ("plugins", "new", "mine", "--kind", "sampler", "--folder", ""),
    ],
)
def test_no_command_takes_an_empty_word(words: tuple[str, ...], ebmkit: Ebmkit, tmp_path: Path) -> None:
    outcome = ebmkit(*words)
    assert outcome.code == 2
    place = words[-1] or words[-2]
    assert place in outcome.err
    assert "is a shell variable not set?" in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("--set", "path="), ("--set", "path=  ")])
def test_the_check_of_a_part_takes_no_empty_value(words: tuple[str, ...], ebmkit: Ebmkit) -> None:
    outcome = ebmkit("plugins", "check", "source/folder", *words)
    assert outcome.code == 2
    assert "gives no value: is a shell variable not set?" in outcome.err


@pytest.mark.parametrize("name", ["2024", "true", "1e3", "0x10", "2024-01-31", "[1, 2]"])
def test_a_folder_may_be_called_like_a_number(
    name: str, run_file: RunFile, ebmkit: Ebmkit, images: Path
) -> None:
    images.rename(images.with_name(name))
    file = run_file("coopnets")
    outcome = ebmkit("run", file, "--set", f"data.path={name}", "--set", "run.iterations=1")
    assert outcome.code == 0, outcome.err
    assert f'path = "{name}"' in Path("runs/coopnets/config.toml").read_text()
    assert ebmkit("resume", "coopnets", "--set", "run.iterations=2").code == 0


def test_a_run_may_go_into_a_folder_called_like_a_number(run_file: RunFile, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", run_file("coopnets"), "--set", "run.output=7", "--set", "run.iterations=1").code == 0
    assert Path("7/config.toml").is_file()


@pytest.mark.parametrize("written", ["1_000", "true", "2024-01-31", "0x10"])
def test_the_advice_about_a_path_without_quotes_is_what_stands_there(
    written: str, run_file: RunFile, ebmkit: Ebmkit, images: Path
) -> None:
    file = run_file("coopnets")
    file.write_text(file.read_text().replace(f'"{images}"', f"{written}  # a folder"))
    outcome = ebmkit("check", file)
    assert outcome.code == 2
    assert f'write: path = "{written}"' in outcome.err


def test_a_table_set_whole_takes_the_texts_of_its_keys_away(run_file: RunFile) -> None:
    key = ("energy", "optimizer", "lr")
    overrides = ["energy.optimizer.lr=7", "energy.optimizer={lr = 8}"]
    whole, single = (read_document(run_file("coopnets"), each) for each in (overrides, overrides[:1]))
    assert single.text_set(key) == "7"
    assert whole.data["energy"]["optimizer"] == {"lr": 8}
    assert whole.text_set(key) is None
