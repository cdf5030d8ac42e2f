from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch
import typer.main
from PIL import Image

from ebmkit.cli import app
from ebmkit.plugin import hookimpl
from ebmkit.registry.discovery import Registry
from ebmkit_fastconv.maps.transforms import _compile_once
from ebmkit_langevin.langevin import Langevin
from tests.conftest import RUN_FILES, Ebmkit, Install

RunFile = Callable[[str], Path]


def picture_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


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


@pytest.mark.parametrize("name", RUN_FILES)
def test_check_validates_without_leaving_anything(name: str, run_file: RunFile, ebmkit: Ebmkit) -> None:
    outcome = ebmkit("check", run_file(name))
    assert (outcome.code, outcome.err) == (0, "")
    assert "is valid: 6 iterations" in outcome.out
    assert not Path("runs").exists()


def test_a_run_leaves_config_metrics_grids_and_checkpoints(run_file: RunFile, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", run_file("coopnets"), "--set", "revision.temperature=0.5").code == 0
    folder = Path("runs/coopnets")
    assert "temperature = 0.5" in (folder / "config.toml").read_text()
    line = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["iteration"] == 6
    for name in ("observed", "proposal", "revised", "reconstructed"):
        assert f"energy_{name}" in line
        # Five observed images of 16 pixels in a row, and four others in a square, with gaps of 2.
        size = (88, 16) if name == "observed" else (34, 34)
        assert picture_size(folder / f"samples/{name}-0000006.png") == size
    assert line["energy_gap"] == pytest.approx(line["energy_observed"] - line["energy_revised"])
    assert line["catch_up"] == pytest.approx(line["reconstruction_error"] / line["chain_displacement"])
    assert {
        "gradient_energy",
        "gradient_generator",
        "revision_gradient_share",
        "seconds_revision",
    } <= line.keys()
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
        "iteration-0000002",  # not yet healthy for long enough, and kept until it is known
        "iteration-0000004",
        "iteration-0000006",
    ]


def test_the_resolved_config_is_a_run_file_of_the_same_run(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("coopnets-rigorous"))
    again = Path("again.toml")
    again.write_bytes(Path("runs/coopnets-rigorous/config.toml").read_bytes())
    assert ebmkit("run", again).code == 0
    assert Path("runs/again/config.toml").read_text() == again.read_text()


def test_a_second_run_into_the_same_folder_is_refused(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    ebmkit("run", file)
    before = Path("runs/coopnets/metrics.jsonl").read_bytes()
    outcome = ebmkit("run", file)
    assert outcome.code == 2
    assert "ebmkit resume coopnets" in outcome.err
    assert Path("runs/coopnets/metrics.jsonl").read_bytes() == before


def test_run_resume_starts_a_run_once_and_continues_it_after(run_file: RunFile, ebmkit: Ebmkit) -> None:
    """One command for a batch system that runs it again: the bits are those of a run in one go."""
    file = run_file("coopnets")
    plain = ebmkit("run", file, "--set", "run.output=plain")
    assert plain.code == 0
    resumed = ["run", file, "--resume", "--set", "run.output=requeued"]
    first = ebmkit(*resumed, "--set", "run.iterations=2")
    assert (first.code, ebmkit(*resumed).code) == (0, 0)
    one, two = (max(Path(name).glob("checkpoints/*")) for name in ("plain", "requeued"))
    assert one.name == two.name
    assert (one / "energy.safetensors").read_bytes() == (two / "energy.safetensors").read_bytes()
    assert ebmkit(*resumed).code == 0  # there is nothing left to do


def test_a_table_or_a_key_can_be_left_out_on_the_command_line(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    alone = ["check", file, "--set", "schedule.use=descriptor-only", "--json"]
    assert "E108" in ebmkit(*alone).out
    answer = json.loads(ebmkit(*alone, "--unset", "generator").out)
    assert "generator" not in answer["config"]
    shown = ebmkit("check", file, "--unset", "generatr", "--unset", "run.iteration").err
    assert "has no 'generatr' to leave out" in shown
    assert shown.count("did you mean 'generator'?") == shown.count("did you mean 'iterations'?") == 1


def test_a_folder_of_something_else_is_refused(run_file: RunFile, ebmkit: Ebmkit) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.tex").touch()
    outcome = ebmkit("run", run_file("coopnets"), "--set", "run.output=mine")
    assert outcome.code == 2
    assert [path.name for path in Path("mine").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("name", "sets"),
    [
        ("coopnets", {"proposal", "latents", "revised"}),
        ("descriptor-only", {"proposal", "revised"}),
        ("generator-only", {"proposal", "latents"}),
    ],
)
def test_sample_writes_grids_and_tensors(
    name: str, sets: set[str], run_file: RunFile, ebmkit: Ebmkit
) -> None:
    ebmkit("run", run_file(name))
    outcome = ebmkit("sample", name, "--count", 70, "--seed", 3)
    assert outcome.code == 0
    folder = Path(f"runs/{name}/generated/seed-3")
    tensors = safetensors.torch.load_file(folder / "samples.safetensors")
    assert tensors.keys() == sets
    assert all(len(tensor) == 70 for tensor in tensors.values())
    pictures = {path.stem for path in folder.glob("*.png")}
    assert pictures == sets - {"latents"}
    assert picture_size(folder / "proposal.png") == (10 * 18 - 2, 7 * 18 - 2)


def test_samples_depend_on_the_seed_and_not_on_their_number(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("coopnets"))
    for folder, count, seed in (("a", 5, 0), ("b", 130, 0), ("c", 5, 1)):
        ebmkit("sample", "coopnets", "--count", count, "--seed", seed, "--output", folder)
    a, b, c = (safetensors.torch.load_file(f"{name}/samples.safetensors") for name in "abc")
    assert torch.equal(a["latents"], b["latents"][:5])
    assert torch.allclose(a["revised"], b["revised"][:5], atol=1e-5)
    assert not torch.equal(a["revised"], c["revised"])


def test_sampling_needs_no_data(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    ebmkit("run", run_file("coopnets"))
    for path in images.iterdir():
        path.unlink()
    assert ebmkit("sample", "coopnets", "--steps", 0).code == 0
    tensors = safetensors.torch.load_file("runs/coopnets/generated/seed-0/samples.safetensors")
    assert torch.equal(tensors["revised"], tensors["proposal"])


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


def test_a_kind_alone_lists_its_parts(ebmkit: Ebmkit) -> None:
    for kind in ("generator", "generators"):
        outcome = ebmkit("plugins", "show", kind)
        assert outcome.code == 2
        assert f"{kind} is a kind of parts; there are generator/class-generator, generator/g" in outcome.err


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


def test_a_diverging_run_stops_before_the_weights_are_harmed(run_file: RunFile, ebmkit: Ebmkit) -> None:
    sets = (
        "--set",
        "revision.step_size=1e9",
        "--set",
        "revision.steps=30",
        "--set",
        "run.checkpoint_every=1",
    )
    outcome = ebmkit("run", run_file("coopnets"), *sets)
    assert outcome.code == 6
    assert "not applied" in outcome.err
    assert "Traceback" not in outcome.err


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


DRIFTING = """
    import attrs
    from ebmkit.core import Sampler
    from ebmkit.plugin import hookimpl

    @attrs.frozen(kw_only=True)
    class Drifting(Sampler):
        '''Moves everything by a step.

        Args:
            by: how far; not at all without it.
        '''

        by: TYPE = None

        def step(self, energy, state, rng):
            return type(state)(state.x + (self.by or 0.0)), {}

    @hookimpl
    def ebmkit_samplers():
        return {"drifting": Drifting}
"""


def test_a_parameter_that_is_not_set_by_default_may_stay_so(
    run_file: RunFile, ebmkit: Ebmkit, install: Install
) -> None:
    install("drifting", "drifting_plugin", DRIFTING.replace("TYPE", "float | None"))
    file = run_file("descriptor-only")
    file.write_text(file.read_text().replace("langevin", "drifting").replace("step_size = 0.03", ""))
    assert ebmkit("run", file, "--set", "run.iterations=1").code == 0
    assert "by" not in Path("runs/descriptor-only/config.toml").read_text()
    assert ebmkit("resume", "descriptor-only", "--set", "run.iterations=2").code == 0
    assert ebmkit("sample", "descriptor-only", "--count", 1).code == 0
    refused = ebmkit("resume", "descriptor-only", "--set", "revision.by=2")
    assert (refused.code, "revision.by  -     2.0" in refused.err) == (2, True)
    again = ebmkit("check", file, "--set", "revision.by=far").err
    assert "by: float, default not set" in again
    assert "by: float; default not set" in ebmkit("plugins", "show", "sampler/drifting").out


@pytest.mark.parametrize("kind", ["list[int]", "dict[str, float]", "object"])
def test_a_parameter_that_no_run_file_can_hold_is_told_of_the_plugin(
    kind: str, run_file: RunFile, ebmkit: Ebmkit, install: Install
) -> None:
    module = f"drifting_{kind[:4]}"  # each its own: a module is imported once
    install("drifting", module, DRIFTING.replace("TYPE", kind))
    outcome = ebmkit("check", run_file("descriptor-only"), "--set", "revision.use=drifting")
    assert outcome.code == 4
    assert f"parameter 'by' has the type {kind}, which a run file cannot hold" in outcome.err
    assert f"plugin '{module}' of drifting 1.2" in outcome.err
    checked = ebmkit("plugins", "check", "sampler/drifting", "--quick")
    assert checked.code == 4
    assert f"by has the type {kind}" in checked.out.replace("\n", " ").replace("  ", "")


def test_doctor_tells_what_there_is(ebmkit: Ebmkit) -> None:
    outcome = ebmkit("doctor")
    assert outcome.code == 0, outcome.out
    assert torch.__version__ in outcome.out
    assert "ebmkit-torch" in outcome.out
    findings = {line["what"]: line for line in json.loads(ebmkit("doctor", "--json").out)}
    assert findings["device"]["detail"].startswith(("cpu", "cuda"))
    assert all(finding["healthy"] for finding in findings.values())


def test_doctor_names_broken_plugins_and_conflicts(ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch) -> None:
    discover = Registry.discover

    def with_a_rival() -> Registry:
        registry = discover()
        rival = SimpleNamespace(ebmkit_samplers=hookimpl(lambda: {"langevin": Langevin}))
        registry.register(rival, name="rival", distribution="rival", version="1")
        broken = SimpleNamespace(ebmkit_samplers=hookimpl(lambda: 1 / 0))
        registry.register(broken, name="broken", distribution="broken", version="1")
        return registry

    monkeypatch.setattr(Registry, "discover", staticmethod(with_a_rival))
    outcome = ebmkit("doctor")
    assert outcome.code == 4
    assert "sampler 'langevin' is offered by ebmkit-torch and rival" in outcome.out
    assert "ZeroDivisionError" in outcome.out
    findings = json.loads(ebmkit("doctor", "--json").out)
    assert sum(not finding["healthy"] for finding in findings) == 2


def test_doctor_names_parts_that_cannot_be_imported(ebmkit: Ebmkit, install: Install) -> None:
    offer = """
        from ebmkit.plugin import hookimpl

        @hookimpl
        def ebmkit_samplers():
            return {"lost": "lost:Lost"}
    """
    lost = """
        import torch.no_such_part  # as of another release
        from ebmkit.core import Sampler

        class Lost(Sampler):
            def step(self, energy, state, rng):
                return state, {}
    """
    Path("lost.py").write_text(textwrap.dedent(lost))
    install("half-there", "half_there", offer)
    outcome = ebmkit("doctor")
    assert outcome.code == 4
    assert "sampler 'lost' (plugin 'half_there' of half-there 1.2) cannot be loaded" in outcome.out
    install("gone", "gone", "import no_such_package")
    assert "plugin 'gone' of gone 1.2 is broken: ModuleNotFoundError: No module" in ebmkit("doctor").out


@pytest.mark.skipif(platform.machine() != "x86_64", reason="what is compiled is for x86-64")
@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"EBMKIT_NATIVE": "0"}, "not compiled: EBMKIT_NATIVE=0"),
        ({"CC": "no-such-compiler", "PATH": ""}, "not compiled: no C compiler (no-such-compiler or gcc)"),
        ({"CC": "false"}, "not compiled: {false} failed: "),
    ],
)
def test_doctor_tells_whether_the_transforms_are_compiled_or_why_not(
    ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], line: str
) -> None:
    line = f"fastconv: transforms {line}"
    for name, value in {"XDG_CACHE_HOME": str(tmp_path), **environment}.items():
        monkeypatch.setenv(name, value)
    false = shutil.which("false")
    _compile_once.cache_clear()
    try:
        findings = {each["what"]: each for each in json.loads(ebmkit("doctor", "--json").out)}
    finally:
        _compile_once.cache_clear()
    assert findings["gradients"]["detail"].startswith(line.format(false=false))
    assert findings["gradients"]["healthy"]  # slower, and nothing else
