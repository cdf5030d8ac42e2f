"""Bad input gets one clear message: what, where, what to do; nothing starts, no traceback."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit import __version__
from tests.conftest import RUN_FILES, Ebmkit

RunFile = Callable[[str], Path]

CASES = {
    "unknown key": ("step_size = 0.03", "stepsize = 0.03", "E103", "did you mean 'step_size'?"),
    "unknown optimizer key": ("lr = 1e-3 }", "rl = 1e-3 }", "E103", "did you mean 'lr'?"),
    "key by its meaning": ("lr = 1e-3 }", "learning_rate = 1e-3 }", "E103", "did you mean 'lr'?"),
    "key that is nothing": ("lr = 1e-3 }", "frobnication = 1e-3 }", "E103", "plugins show optimizer/adam"),
    "wrong type": ("steps = 3", 'steps = "3"', "E104", "an integer"),
    "wrong choice": ("latents = 6", 'latents = 6\nnorm = "bach"', "E104", "did you mean 'batch'?"),
    "out of range": ("batch = 5", "batch = 0", "E105", ">= 1"),
    "unknown table": ("[revision]", "[revison]", "E102", "did you mean 'revision'?"),
    "no use": ('use = "langevin"\n', "", "E106", "'use'"),
    "refused by the part": ("kernels = [5, 3]", "kernels = [5]", "E109", "1 and 2 entries"),
    "not toml": ("[energy]", "[energy", "E101", "not TOML"),
    "shape": ("channels = [8, 4]", "channels = [8, 4, 4, 4, 4]", "E109", "multiples of 32"),
    "missing data": ("images", "imagos", "E111", "does not exist"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_shown_at_its_line(case: str, run_file: RunFile, ebmkit: Ebmkit) -> None:
    right, wrong, code, hint = CASES[case]
    file = run_file("coopnets")
    text = file.read_text()
    assert right in text
    file.write_text(text.replace(right, wrong, 1))
    outcome = ebmkit("run", file)
    assert outcome.code == 2
    assert f"error[{code}]" in outcome.err
    assert hint in outcome.err
    assert f"--> {file}:" in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("runs").exists()


def test_all_mistakes_are_shown_at_once(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    text = (
        file.read_text()
        .replace("iterations", "iteration")
        .replace("steps = 3", "steps = -3")
        .replace("[schedule]", "[plan]")
    )
    file.write_text(text)
    outcome = ebmkit("check", file, "--set", "generator.latents=0")
    assert outcome.code == 2
    assert outcome.err.count("error[E") == 5
    for expected in ("'iteration'", "'steps'", "[plan]", "[schedule]", "--set generator.latents=0"):
        assert expected in outcome.err


def test_a_corrupt_image_stops_before_the_first_iteration(
    run_file: RunFile, ebmkit: Ebmkit, images: Path
) -> None:
    (images / "bad.png").write_bytes(b"<html>")
    outcome = ebmkit("run", run_file("coopnets"))
    assert outcome.code == 2
    assert "bad.png" in outcome.err
    assert not Path("runs").exists()


def test_run_files_of_the_tests_are_toml() -> None:
    for text in RUN_FILES.values():
        tomllib.loads(text)


LONG = "a" * 5000


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("run", f'device = "{LONG}"'),
        ("run", f'seed = "{LONG}"'),
        ("run", f"{LONG} = 1"),
        ("data", f'path = "{LONG}"'),
        ("energy", f'use = "{LONG}"'),
        ("energy", f"channels = [{'-1, ' * 5000}]"),
        ("energy", f'channels = "[{"8, " * 5000}]"'),
        ("energy", f'optimizer = {{ use = "{LONG}" }}'),
        ("energy", f"optimizer = {{ {LONG} = 1 }}"),
        ("energy", f'optimizer = "{LONG}"'),
        ("revision", f"temperature = {LONG}"),
        ("revision", f"[{LONG}]\nuse = 1"),
        ("revision", f"[energy.part.{LONG}]\nuse = 1"),
    ],
)
def test_a_value_of_thousands_of_characters_is_shown_by_its_ends(
    table: str, line: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    file = run_file("coopnets")
    text = file.read_text()
    begin = text.index(f"[{table}]")
    name = line.partition(" = ")[0]
    before, section, after = text[:begin], *text[begin:].partition("\n\n")[::2]
    section = re.sub(rf"^{name} = .*\n", "", section, flags=re.MULTILINE)  # a key that is there already
    file.write_text(f"{before}{section}\n{line}\n\n{after}")
    number = file.read_text()[: file.read_text().index(line)].count("\n") + 1
    outcome = ebmkit("check", file)
    assert outcome.code in (2, 4)
    assert re.search(rf"--> {re.escape(str(file))}:{number}:\d+$", outcome.err, re.MULTILINE), outcome.err
    assert max(map(len, outcome.err.splitlines())) < 600  # of parts; ebmkit's own are shorter
    override = ebmkit("check", run_file("coopnets"), "--set", f"{table}.{line}")
    assert override.code in (0, 2, 4)
    assert max(map(len, override.err.splitlines()), default=0) < 600


def test_text_without_quotes_is_told_what_to_write(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    text = file.read_text()
    file.write_text(text.replace('use = "langevin"', "use = langevin"))
    assert 'write: use = "langevin"' in ebmkit("check", file).err
    file.write_text(text.replace("color = false", "color = False"))
    assert "write: color = false" in ebmkit("check", file).err


def test_the_version_and_a_plugin_switched_off(
    run_file: RunFile, ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EBMKIT_PLUGINS", "no:mcmc")  # and put back at the end, whatever -p does to it
    assert ebmkit("--version").out == f"ebmkit {__version__}\n"
    outcome = ebmkit("-p", "no:langevin", "check", run_file("coopnets"))
    assert outcome.code == 4
    assert "plugin 'langevin' of ebmkit-torch 0.1.0 is switched off" in outcome.err
    outcome = ebmkit("-p", "langevin", "plugins", "list")
    assert (outcome.code, "-p takes no:NAME" in outcome.err) == (2, True)
