"""What becomes of a command whose output cannot be written, with real files, pipes and processes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ebmkit.errors import StreamError
from ebmkit.messages.legible import legible
from ebmkit.messages.streams import writer
from tests.conftest import Ebmkit
from tests.processes import ONE_THREAD
from tests.run.test_resume import metrics

RunFile = Callable[[str], Path]

_COMMANDS = """
import json, sys
from ebmkit.__main__ import main
codes = []
for command in json.loads(sys.argv[1]):
    sys.argv = ["ebmkit", *command]
    try:
        main()
    except SystemExit as stopped:
        codes.append(stopped.code or 0)
open("codes.json", "w").write(json.dumps(codes))
"""

C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def shell(script: str, *arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """A script in which ``ebmkit`` is the command."""
    ebmkit = f'ebmkit() {{ "{sys.executable}" -m ebmkit "$@"; }}\n'
    words = ["bash", "-c", ebmkit + script, "bash", *map(str, arguments)]
    return subprocess.run(words, cwd=folder, env=ONE_THREAD, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("environment", "encoding"),
    [
        ({"PYTHONIOENCODING": "latin-1"}, "latin-1"),
        ({"PYTHONIOENCODING": "cp1252"}, "cp1252"),
        (C_LOCALE, "ascii"),
    ],
)
def test_no_command_fails_for_want_of_letters(
    environment: dict[str, str], encoding: str, run_file: RunFile, tmp_path: Path
) -> None:
    file = str(run_file("coopnets"))
    commands: Sequence[Sequence[str]] = [
        ("run", file),
        ("resume", "coopnets", "--set", "run.iterations=7"),
        ("status", "coopnets"),
        ("check", file, "--set", "revision.step_size=0.02"),
        ("plugins", "list"),
        ("plugins", "show", "sampler/preconditioned"),
        ("plugins", "show", "energy/descriptor"),
        ("explain", "E103"),
        ("doctor",),
        ("sample", "coopnets", "--count", "1"),
        ("check", file, "--set", "revision.δ=1"),
        ("check", os.fsdecode(b"caf\xe9.toml")),
        ("run", file, "--set", os.fsdecode(b"data.path=caf\xe9")),
    ]
    words = [sys.executable, "-c", _COMMANDS, json.dumps(commands)]
    done = subprocess.run(
        words, cwd=tmp_path, env={**ONE_THREAD, **environment}, capture_output=True, check=False
    )
    out, err = done.stdout.decode(encoding), done.stderr.decode(encoding)
    assert done.returncode == 0, err
    assert json.loads((tmp_path / "codes.json").read_text()) == [0] * 10 + [2, 2, 2]
    assert "Traceback" not in err
    assert "delta of the first step, in the units of x" in out  # δ in the docstring
    assert "unknown key '" in err
    assert r"cannot read caf\xe9.toml" in err.replace("\\\\", "\\")
    assert "'path' must be text in UTF-8, as a run file is, got 'caf" in err
    (gap,) = [line.split() for line in out.splitlines() if line.startswith("energy_gap ")]
    assert len(gap[-1]) == 7
    assert set(gap[-1]) <= set("12345678")


@pytest.mark.parametrize(
    ("redirected", "lost"),
    [
        (">/dev/full 2>&1", {"stdout": "No space left on device"}),
        (">&- 2>&- <&-", {"stdout": "closed", "stderr": "closed"}),
        ("| head -1", {"stdout": "Broken pipe"}),
    ],
    ids=["full", "closed", "gone"],
)
def test_a_training_goes_on_without_its_output_and_says_so_once(
    redirected: str, lost: dict[str, str], run_file: RunFile, ebmkit: Ebmkit, tmp_path: Path
) -> None:
    script = f'(ebmkit run "$1"; echo $? >code) {redirected}'
    assert shell(script, run_file("coopnets"), folder=tmp_path).stderr == ""
    assert (tmp_path / "code").read_text() == "0\n"
    run = tmp_path / "runs/coopnets"
    assert [line["iteration"] for line in metrics(run)] == [1, 2, 3, 4, 5, 6]
    assert (run / "checkpoints/iteration-0000006").is_dir()
    noted = [line.split(": ", 1)[1] for line in (run / "output.log").read_text().splitlines()]
    end = "; trains on from iteration"
    assert [line.partition(end)[0] for line in noted] == [
        f"{name} cannot be written ({why})" for name, why in lost.items()
    ]
    assert noted[0] in ebmkit("status", "coopnets").out


def test_a_training_that_can_print_leaves_no_log_of_it(run_file: RunFile, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", run_file("coopnets"), "--set", "run.iterations=1").code == 0
    assert not Path("runs/coopnets/output.log").exists()


def test_an_answer_that_cannot_be_written_is_an_error_and_a_reader_that_has_enough_is_none(
    tmp_path: Path,
) -> None:
    full = "error: cannot write to stdout: No space left on device\n"
    done = shell("ebmkit explain E103 >/dev/full", folder=tmp_path)
    assert (done.returncode, done.stderr) == (3, full)
    as_json = shell("ebmkit plugins list --json >/dev/full", folder=tmp_path)
    assert (as_json.returncode, as_json.stderr.splitlines(keepends=True)[-1]) == (3, full)
    gone = shell("ebmkit explain E103 | true; exit ${PIPESTATUS[0]}", folder=tmp_path)
    assert (gone.returncode, gone.stderr) == (141, "")
    closed = shell("ebmkit explain E103 >&-", folder=tmp_path)
    assert (closed.returncode, closed.stderr) == (0, "")
    mistaken = shell("ebmkit explain E999 >/dev/full 2>/dev/full", folder=tmp_path)
    assert mistaken.returncode == 2  # its own code, though nobody can be told why


def test_a_stream_that_was_closed_gives_its_number_to_no_file(tmp_path: Path) -> None:
    code = (
        "import os\nfrom ebmkit.messages.streams import standard_streams\n"
        "with standard_streams():\n"
        "    file = open('weights', 'wb')\n"
        "    os.write(2, b'a warning of native code')\n"
        "    print('a word')\n"
        "    file.write(b'w')\n"
        "assert file.fileno() > 2\n"
    )
    script = f'"{sys.executable}" -c "$1" <&- >&- 2>&-'
    assert shell(script, code, folder=tmp_path).returncode == 0
    assert (tmp_path / "weights").read_bytes() == b"w"


def test_a_pipe_that_was_made_non_blocking_gets_every_byte() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    text = "0123456789" * 100_000
    received = io.BytesIO()

    def read() -> None:
        with os.fdopen(reading, "rb") as pipe:
            received.write(pipe.read())

    reader = threading.Thread(target=read)
    with writer(writing, "stdout", vital=True) as stream:
        reader.start()
        stream.write(text)
    reader.join(timeout=60)
    assert received.getvalue().decode() == text


def test_what_is_lost_without_harm_is_lost_and_no_more() -> None:
    with writer(os.open("/dev/full", os.O_WRONLY), "stdout", vital=False) as stream:
        print("δ", file=stream, flush=True)
    with (
        pytest.raises(StreamError, match="cannot write to stdout: No space left on device"),
        writer(os.open("/dev/full", os.O_WRONLY), "stdout", vital=True) as stream,
    ):
        print("δ", file=stream, flush=True)


def test_letters_that_can_be_written_are(tmp_path: Path) -> None:
    path = tmp_path / "text"
    with writer(os.open(path, os.O_WRONLY | os.O_CREAT), "stdout", vital=True) as stream:
        stream.write("δ²")
    assert path.read_text(encoding="utf-8") == "δ²" != legible("δ²")
