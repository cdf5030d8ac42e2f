"""Nothing that a run reads can run code, leave its folder, or fail in another way than by ebmkit's errors."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import pickle
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.errors import CheckpointError, EbmkitError
from ebmkit.registry.discovery import Registry
from ebmkit.storage.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from ebmkit.storage.facts import DataFacts, Facts
from ebmkit.storage.manifest import read_manifest, seal
from ebmkit.training.guard import Rollback
from tests.conftest import RUN_FILES, Ebmkit
from tests.run.test_rollback import RunFile

CASES = int(os.environ.get("EBMKIT_FUZZ", "300"))
"""Mutations of each kind of file; the figures in docs/reliability.md were made with more."""


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.canary),))


def test_a_pickle_in_any_file_of_a_checkpoint_never_runs(
    run_file: RunFile, ebmkit: Ebmkit, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    bombs = [pickle.dumps(Bomb(canary))]
    torch.save(Bomb(canary), tmp_path / "bomb.pt")
    bombs.append((tmp_path / "bomb.pt").read_bytes())
    assert ebmkit("run", run_file("coopnets"), "--set", "run.iterations=2").code == 0
    folder = Path("runs/coopnets/checkpoints/iteration-0000002")
    names = [path.name for path in folder.iterdir()]
    assert len(names) == 5
    for name in [*names, "weights.pt", "optimizer.bin", "state.pkl"]:
        for bomb in bombs:
            whole = folder.with_name("whole")
            shutil.copytree(folder, whole)
            (folder / name).write_bytes(bomb)
            if name in names and name != "manifest.json":  # an attacker seals as we do
                manifest = read_manifest(folder)
                manifest["files"][name] = {"bytes": len(bomb), "sha256": hashlib.sha256(bomb).hexdigest()}
                entries = {key: manifest[key] for key in manifest if key not in ("sha256", "format")}
                (folder / "manifest.json").write_bytes(seal(entries))
            outcome = ebmkit("resume", "coopnets", "--set", "run.iterations=3")
            assert outcome.code == 5, (name, outcome)
            assert "Traceback" not in outcome.err
            shutil.rmtree(folder)
            whole.rename(folder)
    assert not canary.exists()
    pickle.loads(bombs[0])  # noqa: S301 - the bombs do explode
    assert canary.exists()


EVALUATED = {"ebmkit/parameters/source.py": "eval", "ebmkit/registry/own.py": "exec"}
"""Annotations of installed classes, which importing would evaluate as well; and code that the user trusts."""


def test_no_module_can_unpickle_or_evaluate() -> None:
    root = Path(__file__).parent.parent
    for path in [*root.glob("ebmkit/**/*.py"), *root.glob("plugins/**/*.py")]:
        if path.parent.name == "testing":  # asks whether a source survives its own pickle; reads no file
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                modules = {each.name for each in node.names} | {getattr(node, "module", None)}
                assert not modules & {"pickle", "marshal", "shelve", "dill", "yaml", "urllib.request"}, path
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in {"eval", "exec"}:
                    assert EVALUATED.get(str(path.relative_to(root))) == called, (path, node.lineno)
                if called == "torch.load":  # of weights alone nothing is run
                    assert "weights_only=True" in ast.unparse(node), (path, node.lineno)


WATCHED = """
    import json, os, sys

    opened, sockets, started = [], [], []

    def watch(event, arguments):
        if event == "open":
            path, mode, flags = arguments
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC) and isinstance(path, (str, bytes)):
                opened.append(os.path.abspath(os.fsdecode(path)))
        elif event in ("os.mkdir", "os.rename", "os.remove"):
            opened.append(os.path.abspath(os.fsdecode(arguments[0])))
        elif event.startswith("socket.") and event not in ("socket.__new__",):
            sockets.append(event)
        elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
            started.append(event)

    sys.addaudithook(watch)
    sys.argv = ["ebmkit", "run", sys.argv[1]]
    from ebmkit.cli import main
    try:
        main()
    except SystemExit as end:
        print(json.dumps({"code": end.code or 0, "opened": opened, "sockets": sockets, "started": started}))
"""


def test_a_run_writes_into_its_folder_alone_and_uses_no_network(run_file: RunFile, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WATCHED), run_file("coopnets-rigorous").name],
        cwd=tmp_path,
        env={
            **os.environ,
            "HOME": str(home),
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "EBMKIT_NATIVE": "0",  # the compiler and its cache in the home folder are the one exception
        },
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(ran.stdout.splitlines()[-1])
    assert seen["code"] == 0
    assert any("checkpoints" in path for path in seen["opened"])
    # torch makes the empty folder of its compiler's cache when it is imported.
    allowed = (str(tmp_path / "runs"), os.devnull, str(Path(tempfile.gettempdir()) / "torchinductor_"))
    assert [path for path in seen["opened"] if not path.startswith(allowed)] == []
    assert seen["sockets"] == []
    assert seen["started"] == []
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("use", ["os:system", "../folder", "torch.nn.Linear"])
def test_a_run_file_cannot_name_code(use: str, run_file: RunFile, ebmkit: Ebmkit) -> None:
    outcome = ebmkit("check", run_file("coopnets"), "--set", f"energy.use={use}")
    assert outcome.code == 4
    assert "error[E107]" in outcome.err


def test_a_class_that_is_no_part_is_refused(run_file: RunFile, ebmkit: Ebmkit) -> None:
    outcome = ebmkit("check", run_file("coopnets"), "--set", "energy.use=ebmkit.errors:EbmkitError")
    assert outcome.code == 4
    assert "EbmkitError is not derived from ebmkit.core.Energy" in outcome.err


@pytest.mark.parametrize("command", ["resume", "sample"])
def test_a_name_that_leads_out_of_the_runs_is_no_run(command: str, ebmkit: Ebmkit, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for name in ("../../etc", "a/../../b", "/etc", "runs", "\0", "x" * 300):
        outcome = ebmkit(command, name)
        assert outcome.code == 2, name
        assert "Traceback" not in outcome.err
    assert sorted(tmp_path.rglob("*")) == before


def mutations(data: bytes, *, seed: int) -> Iterator[bytes]:
    """Damaged copies: bytes changed, cut out, doubled, or replaced by what parsers trip over."""
    chance = random.Random(seed)
    hostile = [b'"""', b"[" * 5000, b"{" * 5000, b"9" * 5000, b"1e999", b"null", b"\xff\xfe", b"\0", b"../"]
    for _ in range(CASES):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(damaged) + 1)
            end = min(len(damaged), at + chance.choice([0, 1, 1, 8, 60]))
            doubled = bytes(damaged[at:end]) * 2
            damaged[at:end] = chance.choice([b"", chance.randbytes(1), chance.choice(hostile), doubled])
        yield bytes(damaged)


def small_checkpoint(tmp_path: Path) -> Path:
    files = {"energy": {"weight": torch.ones(3, 2), "bias": torch.zeros(2)}}
    return write_checkpoint(tmp_path, Checkpoint(1, files, Facts(data=DataFacts((1,), 3))), keep=1)


def test_a_damaged_manifest_is_read_or_refused(tmp_path: Path) -> None:
    folder = small_checkpoint(tmp_path)
    whole = (folder / "manifest.json").read_bytes()
    for damaged in mutations(whole, seed=1):
        (folder / "manifest.json").write_bytes(damaged)
        if damaged != whole:
            with pytest.raises(CheckpointError):
                read_checkpoint(folder)


def test_damaged_tensors_under_a_good_seal_are_read_or_refused(tmp_path: Path) -> None:
    folder = small_checkpoint(tmp_path)
    whole = (folder / "energy.safetensors").read_bytes()
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    refused = 0
    for damaged in mutations(whole[:header], seed=2):
        content = damaged + whole[header:]
        entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        (folder / "energy.safetensors").write_bytes(content)
        (folder / "manifest.json").write_bytes(seal({"iteration": 1, "files": {"energy.safetensors": entry}}))
        try:
            read_checkpoint(folder)
        except CheckpointError:
            refused += 1
    assert refused > CASES / 2


def damaged_facts(facts: Any, chance: random.Random) -> Any:
    """A copy in which one value, somewhere, is gone or another thing."""
    other = [None, True, -1, 10**400, 1e308, "", "x" * 500, [], {}, [[0]], {"use": {}}, [None] * 3, "0.5"]
    if not isinstance(facts, dict | list) or not facts or chance.random() < 0.2:
        return chance.choice(other)
    copy = dict(facts) if isinstance(facts, dict) else list(facts)
    place = chance.choice(list(copy) if isinstance(copy, dict) else range(len(copy)))
    if chance.random() < 0.2:
        del copy[place]
    else:
        copy[place] = damaged_facts(copy[place], chance)
    return copy


def test_damaged_facts_under_a_good_seal_are_resumed_from_or_refused(
    run_file: RunFile, ebmkit: Ebmkit, tmp_path: Path
) -> None:
    """What a checkpoint says beside its tensors, rollbacks included, as somebody who can seal writes it."""
    assert ebmkit("run", run_file("coopnets"), "--set", "run.iterations=2").code == 0
    run, whole = Path("runs/coopnets"), tmp_path / "whole"
    shutil.copytree(run, whole)
    facts = {key: value for key, value in read_manifest(whole / SECOND).items() if key not in SEALED}
    facts["guard"]["rollbacks"] = [Rollback(2, 0, "seen", 0.5, 0.5)._asdict()]
    chance, refused = random.Random(4), 0
    for case in range(max(CASES // 100, 1)):
        shutil.rmtree(run)
        shutil.copytree(whole, run)
        damaged = damaged_facts(facts, chance)
        (run / SECOND / "manifest.json").write_bytes(seal(damaged if isinstance(damaged, dict) else {}))
        resumed = ebmkit("resume", "coopnets", "--accept-data-change")  # there is nothing left to train
        assert resumed.code in (0, 2, 5), (case, resumed)
        with suppress(CheckpointError):
            assert read_checkpoint(run / SECOND).trained_on.shape
        refused += resumed.code != 0
    assert refused > 0


SECOND = "checkpoints/iteration-0000002"
SEALED = ("sha256", "format")


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000, f'"{"[" * 5000}"'])
def test_values_of_thousands_of_characters_are_refused(value: str, run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    assert ebmkit("check", file, "--set", f"run.device={value}").code == 2
    file.write_text(file.read_text().replace('device = "cpu"', f"device = {value}"))
    assert ebmkit("check", file).code == 2


def test_a_damaged_run_file_is_read_or_refused(tmp_path: Path) -> None:
    registry = Registry.discover()
    file = tmp_path / "run.toml"
    for damaged in mutations(RUN_FILES["coopnets-rigorous"].encode(), seed=3):
        file.write_bytes(damaged)
        with suppress(EbmkitError):
            make_plan(read_document(file), registry)
