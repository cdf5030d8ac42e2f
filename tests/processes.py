"""Two processes that train one model: started once for many commands, because starting is what takes long."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.conftest import Outcome

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}

_COMMANDS = """
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from ebmkit.cli import main
outcomes = []
for port, command in json.loads(sys.argv[1]):
    os.environ["MASTER_PORT"] = str(port)
    sys.argv = ["ebmkit", *command]
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            main()
        except SystemExit as stopped:
            outcomes.append((stopped.code or 0, out.getvalue(), err.getvalue()))
print(json.dumps(outcomes))
"""


def environment(rank: int, size: int, port: int) -> dict[str, str]:
    """What torchrun tells a process about the others."""
    return {
        **ONE_THREAD,
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def free_ports(count: int) -> list[int]:
    """Numbers that no program listens on."""
    with ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in bound:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in bound]


def start(arguments: Sequence[str], folder: Path, *, size: int = 2) -> list[subprocess.Popen[str]]:
    """``python ARGUMENTS`` as that many processes of one training, without torchrun."""
    (port,) = free_ports(1)
    return [
        subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment(rank, size, port),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


def finish(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """The exit code, output and errors of each."""
    with ExitStack() as closing:
        for process in processes:
            closing.enter_context(process)
        for process in processes:
            closing.callback(process.kill)
        ended = [process.communicate(timeout=240) for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, ended, strict=True)]


def run_processes(arguments: Sequence[str], folder: Path) -> list[str]:
    """The output of each of two processes; both must end well."""
    ended = finish(start(arguments, folder))
    assert [code for code, _, _ in ended] == [0, 0], ended
    return [out for _, out, _ in ended]


def run_commands(commands: Sequence[Sequence[object]], folder: Path) -> list[tuple[Outcome, Outcome]]:
    """``ebmkit`` commands, one after the other, by the same two processes; how each ended on each."""
    ports = free_ports(len(commands))
    jobs = [(port, list(map(str, command))) for port, command in zip(ports, commands, strict=True)]
    first, second = (
        [Outcome(*outcome) for outcome in json.loads(out)]
        for out in run_processes(["-c", _COMMANDS, json.dumps(jobs)], folder)
    )
    return list(zip(first, second, strict=True))
