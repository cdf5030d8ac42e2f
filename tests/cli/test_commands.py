from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from ebmkit.cli import app
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_help_names_every_command_and_imports_no_torch() -> None:
    code = "import sys; sys.argv = ['ebmkit', '--help']\nfrom ebmkit.cli import app\n"
    code += "try: app()\nexcept SystemExit: pass\nsys.exit('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in ("run", "resume", "check", "sample", "plugins"):
        assert f"\n  {command} " in result.stdout


def commands(group: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """The words of every command and group of commands."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *path, name)


@pytest.mark.parametrize("words", [*commands(typer.main.get_command(app))], ids=" ".join)
def test_help_is_whole_in_80_columns(
    words: tuple[str, ...], ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = ebmkit(*words, "--help").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.endswith("...") and not line.startswith("Usage:")]


def test_a_command_interrupted_while_it_starts_ends_without_a_traceback() -> None:
    code = (
        "import builtins, os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in jobs that a shell put aside
        "from ebmkit.__main__ import main\n"
        "original = builtins.__import__\n"
        "def interrupted(name, *rest):\n"
        "    if name == 'typer': os.kill(os.getpid(), signal.SIGINT)\n"
        "    return original(name, *rest)\n"
        "builtins.__import__ = interrupted\n"
        "main()\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


def test_plugins_list_and_show(ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ebmkit("plugins", "list")
    assert listed.code == 0
    for name in ("descriptor", "generator", "langevin", "coopnets", "descriptor-only", "faces", "zip"):
        assert name in listed.out
    assert not set("$\\`") & set(listed.out), "summaries are plain text"
    for spelling in ("sampler/langevin", "samplers/langevin"):
        shown = ebmkit("plugins", "show", spelling).out
        assert "step_size: float, > 0; default 0.002" in shown
        assert "ebmkit-torch" in shown
    monkeypatch.setenv("COLUMNS", "70")
    shown = ebmkit("plugins", "show", "sampler/preconditioned").out
    assert [line for line in shown.splitlines() if len(line) > 70] == [
        line for line in shown.splitlines() if "\\nabla" in line or "\\frac" in line
    ], "prose is as wide as the terminal; formulas stay as they are"
    assert ebmkit("plugins", "show", "sampler/langevim").code == 4
    assert ebmkit("plugins", "show", "samplr/langevin").code == 2


def test_unknown_runs_and_files_are_named(ebmkit: Ebmkit, run_file: RunFile) -> None:
    ebmkit("run", run_file("coopnets"))
    for command in ("resume", "sample"):
        outcome = ebmkit(command, "nowhere")
        assert outcome.code == 2
        assert "'nowhere'" in outcome.err
        assert "coopnets" in outcome.err
    missing = ebmkit("run", "nowhere.toml")
    assert (missing.code, "nowhere.toml" in missing.err) == (2, True)


def test_two_set_options_and_no_arguments(ebmkit: Ebmkit) -> None:
    assert ebmkit("run").code == 2
    assert ebmkit("frobnicate").code == 2


def test_a_part_that_fails_is_one_message_with_its_plugin(
    run_file: RunFile, ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ebmkit_langevin.langevin import Langevin

    def fails(*arguments: object) -> None:
        raise RuntimeError("out of cheese")

    monkeypatch.setattr(Langevin, "step", fails)
    outcome = ebmkit("run", run_file("coopnets"))
    assert outcome.code == 4
    assert "(plugin 'langevin' of ebmkit-torch 0.1.0) raised RuntimeError: out of cheese" in outcome.err


def test_a_missing_part_is_named(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    ebmkit("run", run_file("descriptor-only"))
    ebmkit("run", run_file("generator-only"))
    interpolated = ebmkit("interpolate", "descriptor-only")
    completed = ebmkit("complete", "generator-only", "--image", images / "00.png")
    assert (interpolated.code, completed.code) == (2, 2)
    assert "has no generator" in interpolated.err
    assert "has no energy" in completed.err
