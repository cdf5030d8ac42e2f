"""Bad input gets one clear message: what, where, what to do; nothing starts, no traceback."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import RUN_FILES, Ebmkit

RunFile = Callable[[str], Path]

CASES = {
    "unknown key": ("step_size = 0.03", "stepsize = 0.03", "E103", "did you mean 'step_size'?"),
    "unknown optimizer key": ("lr = 1e-3 }", "rl = 1e-3 }", "E103", "did you mean 'lr'?"),
    "wrong type": ("steps = 3", 'steps = "3"', "E104", "an integer"),
    "wrong choice": ("latents = 6", 'latents = 6\nnorm = "bach"', "E104", "did you mean 'batch'?"),
    "out of range": ("batch = 5", "batch = 0", "E105", ">= 1"),
    "unknown table": ("[revision]", "[revison]", "E102", "did you mean 'revision'?"),
    "no use": ('use = "langevin"\n', "", "E106", "'use'"),
    "unknown optimizer": ('use = "adam"', 'use = "adan"', "E104", "did you mean 'adam'?"),
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


def test_every_misspelt_key_is_found_at_its_line_with_the_right_suggestion(
    run_file: RunFile, ebmkit: Ebmkit
) -> None:
    file = run_file("coopnets")
    text = file.read_text()
    lines = text.splitlines()
    for number, line in enumerate(lines):
        key, equals, _ = line.partition(" = ")
        if not equals or key in ("use", "optimizer"):
            continue
        wrong = key[:-1] + ("x" if key[-1] != "x" else "y")
        file.write_text("\n".join([*lines[:number], line.replace(key, wrong, 1), *lines[number + 1 :]]))
        err = ebmkit("check", file).err
        assert f"unknown key {wrong!r}" in err
        assert f"--> {file}:{number + 1}:1" in err
        assert f"did you mean {key!r}?" in err


@pytest.mark.parametrize(
    ("name", "use", "message"),
    [
        ("coopnets", "descriptor-only", "takes no part 'generator'"),
        ("coopnets", "generator-only", "needs the part 'inference'"),
        ("descriptor-only", "coopnets", "needs the part 'generator'"),
    ],
)
def test_parts_that_do_not_fit_the_schedule(
    name: str, use: str, message: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    outcome = ebmkit("check", run_file(name), "--set", f"schedule.use={use}")
    assert outcome.code == 2
    assert message in outcome.err


def test_an_unknown_part_alone_is_a_plugin_error(run_file: RunFile, ebmkit: Ebmkit) -> None:
    outcome = ebmkit("run", run_file("coopnets"), "--set", "revision.use=malla")
    assert outcome.code == 4
    assert "no sampler named 'malla'; installed: annealed, descent, hmc, langevin, mala" in outcome.err


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
