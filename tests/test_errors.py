"""Bad input gets one clear message: what, where, what to do; nothing starts, no traceback."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit import __version__
from ebmkit.config.pages import pages
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


def test_data_beside_the_run_file_are_pointed_at(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    Path("below").mkdir()
    file = run_file("coopnets").rename("below/it.toml")
    images.rename("below/images")
    file = Path("below/it.toml")
    file.write_text(file.read_text().replace(str(images), "images"))
    outcome = ebmkit("check", file)
    assert outcome.code == 2
    assert "path = 'images' does not exist" in outcome.err
    assert "a relative path starts where the command is called; there is below/images" in outcome.err


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("revision.use", "no sampler named 'malla'; installed: annealed, descent, hmc, langevin, mala"),
        ("energy.optimizer.use", "no optimizer named 'malla'; installed: adam, adamw, sgd"),
    ],
)
def test_an_unknown_part_alone_is_a_plugin_error(
    key: str, said: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    outcome = ebmkit("run", run_file("coopnets"), "--set", f"{key}=malla")
    assert outcome.code == 4
    assert said in outcome.err


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


def test_json_says_the_same_and_nothing_else(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    file.write_text(file.read_text().replace("step_size = 0.03", "stepsize = 0.03\nsteps = 4"))
    for command in ("check", "run"):
        outcome = ebmkit(command, file, "--json", "--set", "energy.channels=8", "--set", "steps=3")
        answer = json.loads(outcome.out)
        assert (outcome.code, answer["exit_code"]) == (2, 2)
        found = {each["code"]: each for each in answer["errors"]}
        assert found.keys() == {"E103", "E104", "E110", "E112"}
        line = file.read_text().splitlines().index("stepsize = 0.03") + 1
        assert (found["E103"]["line"], found["E103"]["column"]) == (line, 1)
        assert found["E103"]["suggestion"] == "step_size"
        assert found["E104"]["suggestion"] == "[8]"
        assert found["E112"]["line"] == line + 1


def test_json_of_a_valid_file_and_of_a_finished_run(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    checked = json.loads(ebmkit("check", file, "--json").out)
    assert (checked["exit_code"], checked["errors"]) == (0, [])
    assert checked["config"]["revision"]["step_size"] == 0.03
    done = ebmkit("run", file, "--json", "--set", "run.iterations=1")
    answer = json.loads(done.out)
    assert (answer["exit_code"], answer["run"]) == (0, "runs/coopnets")
    assert "done: 1 iterations" in done.err
    again = json.loads(ebmkit("run", file, "--json").out)
    assert again["exit_code"] == 2
    assert "ebmkit resume coopnets" in again["errors"][0]["message"]


def test_mistakes_of_overrides_are_shown_in_the_override(run_file: RunFile, ebmkit: Ebmkit) -> None:
    outcome = ebmkit(
        "check",
        run_file("coopnets"),
        *("--set", "revision.stepsize=0.1", "--set", "revison.steps=2", "--set", "energy.leak=high"),
    )
    for shown in (
        " | --set revision.stepsize=0.1\n |                ^^^^^^^^ did you mean 'step_size'?",
        " | --set revison.steps=2\n |       ^^^^^^^ did you mean 'revision'?",
        " | --set energy.leak=high\n |                   ^^^^",
    ):
        assert shown in outcome.err


def test_a_misspelt_table_or_use_is_one_problem_and_read_on(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    text = file.read_text()
    file.write_text(text.replace("[schedule]", "[schedul]").replace("chains = 4", "chain = 4"))
    err = ebmkit("check", file).err
    assert "2 errors" in err
    assert "did you mean 'schedule'?" in err
    assert "did you mean 'chains'?" in err
    file.write_text(text.replace('use = "langevin"', 'ues = "langevin"\ntemperatur = 1.0'))
    err = ebmkit("check", file).err
    assert "2 errors" in err
    assert "did you mean 'use'?" in err
    assert "did you mean 'temperature'?" in err


COMPOSED = """
[energy]
use = "sum"

[energy.parts.first]
use = "negated"

[energy.parts.first.part]
use = "descriptor"
channels = [4, 8]
kernels = [5, 3]
strides = [2, 2]

[energy.parts.second]
use = "descriptor"
channels = [4, 8]
kernels = [5, 3]
strides = [2, 2]
"""


@pytest.mark.parametrize(
    ("right", "wrong", "word"),
    [
        ("[energy]", "[enrgy]", "energy"),
        ("[energy", "[enrgy", "energy"),
        ("[energy.parts", "[enrgy.parts", "energy"),
        ("[energy.parts.second]", "[enrgy.parts.second]", "energy"),
        ("energy.parts", "energy.prts", "parts"),
        ("energy.parts.second", "energy.prts.second", "parts"),
        ("energy.parts", "energy.part", "parts"),
        ("first.part]", "first.parts]", "part"),
        ("first.part]", "first.parts.one]", "part"),
        ('use = "negated"', 'sue = "negated"', "use"),
    ],
)
def test_a_misspelt_table_of_parts_is_one_problem_and_read_on(
    right: str, wrong: str, word: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    file = run_file("descriptor-only")
    text = re.sub(r"\[energy\]\n(.+\n)+", COMPOSED, file.read_text()).replace(right, wrong)
    file.write_text(text)
    changed = next(n for n, line in enumerate(text.splitlines(), 1) if wrong in line)
    err = ebmkit("check", file).err
    assert err.count("error[") == 1, err
    assert f"did you mean {word!r}?" in err
    assert f"--> {file}:{changed}:" in err
    # What stands in it is checked too, unless it cannot be what the part is made of.
    file.write_text(text.replace("channels", "chanels").replace("strides", "striders"))
    assert ebmkit("check", file).err.count("error[") == (3 if "parts.one" in wrong else 5)


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


def test_a_key_of_another_table_is_told_with_that_table(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    file.write_text("seed = 3\n" + file.read_text().replace("outputs = 3", "outputs = 3\nlr = 1e-3"))
    err = ebmkit("check", file).err
    assert "a key of [run]: move it there" in err
    assert "a key of [energy.optimizer] or [generator.optimizer]: move it there" in err


def test_text_without_quotes_is_told_what_to_write(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    text = file.read_text()
    file.write_text(text.replace('use = "langevin"', "use = langevin"))
    assert 'write: use = "langevin"' in ebmkit("check", file).err
    file.write_text(text.replace("color = false", "color = False"))
    assert "write: color = false" in ebmkit("check", file).err


EXAMPLE = re.compile(r"```(?:toml|sh)\n(.*?)\n```", re.DOTALL)
EXPLAINED = {code: EXAMPLE.findall(page) for code, page in pages().items()}


@pytest.mark.parametrize("code", sorted(EXPLAINED.keys() - {"E113"}))  # that one needs a run: test_trained
def test_the_example_of_every_page_is_that_mistake_and_its_fix_is_none(
    code: str, run_file: RunFile, ebmkit: Ebmkit, images: Path
) -> None:
    wrong, right = EXPLAINED[code]
    (images.parent / "photographs").symlink_to(images)
    (images.parent / "my_parts.py").write_text("from ebmkit_convnets import ConvDescriptor as MyEnergy\n")
    for text, expected in ((wrong, True), (right, False)):
        base = "generator-only" if "generator-only" in text else "coopnets"
        err = ebmkit("check", *with_fragment(run_file(base), text)).err
        assert (f"error[{code}]" in err) == expected, err
        assert "Traceback" not in err


def with_fragment(file: Path, fragment: str) -> list[object]:
    """The run file with the tables of a fragment in the place of its own; or the options of a command."""
    if fragment.startswith("ebmkit run"):
        return [file, *fragment.split()[3:]]
    text = file.read_text()
    names = re.findall(r"^\[(\w+)\]", fragment, re.MULTILINE)
    meant = [{"revison": "revision"}.get(name, name) for name in names]
    for name in meant:
        text = re.sub(rf"^\[{name}\]\n(?:[^\[\n].*\n|\n)*", "", text, flags=re.MULTILINE)
    kept = {"data": "size = 16\ncolor = false\nbatch = 5\n"}
    file.write_text(text + "\n" + fragment + "\n" + "".join(kept.get(name, "") for name in meant))
    return [file]


def test_explain_lists_all_codes_and_knows_near_ones(ebmkit: Ebmkit) -> None:
    listed = ebmkit("explain").out
    assert all(code in listed for code in EXPLAINED)
    assert "stepsize = 0.01" in ebmkit("explain", "e103").out
    outcome = ebmkit("explain", "E1003")
    assert (outcome.code, "did you mean 'E103'?" in outcome.err) == (2, True)


def test_every_code_has_a_page() -> None:
    source = "".join(path.read_text() for path in (Path(__file__).parents[1] / "ebmkit").rglob("*.py"))
    assert set(re.findall(r'"(E1\d\d)"', source)) == set(EXPLAINED)


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
