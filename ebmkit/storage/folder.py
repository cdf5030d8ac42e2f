"""The run folder: one process at a time, everything about a run in one place."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import re
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, final

import attrs
import tomli_w

from ebmkit.errors import RunDirectoryError, RunDirectoryInUseError
from ebmkit.messages.quoting import quoted
from ebmkit.messages.spelling import did_you_mean
from ebmkit.storage.durable import is_alive, make_folder, replace_file, write_synced

__all__ = ["RUNS", "RunFolder", "find_run", "find_runs", "known_runs"]

RUNS = Path("runs")
"""Where runs live unless the run file says otherwise."""

_LISTED = 10
_LOCK = ".lock"
_LOCKS = Path("/proc/locks")
_BEFORE_CONFIG = (_LOCK, ".probe-", ".config.toml-")
"""What a run makes before its run file: left behind by a killed process, they block no later run."""


@final
@attrs.frozen
class RunFolder:
    """The files of a run: ``config.toml``, ``metrics.jsonl``, ``samples/``, ``checkpoints/``, and more."""

    path: Path

    @property
    def name(self) -> str:
        """What commands call the run, in the words of a shell: its name under ``runs/``, or its path."""
        path = self.path.relative_to(RUNS) if self.path.is_relative_to(RUNS) else self.path
        return shlex.quote(str(path))

    @property
    def config(self) -> Path:
        """The resolved run file."""
        return self.path / "config.toml"

    @property
    def diagnosis(self) -> Path:
        """What ``ebmkit diagnose`` found last."""
        return self.path / "diagnosis.json"

    @property
    def metrics(self) -> Path:
        """One JSON object a logged iteration."""
        return self.path / "metrics.jsonl"

    @property
    def rollbacks(self) -> Path:
        """One JSON object a rollback, where there was one."""
        return self.path / "rollbacks.jsonl"

    @property
    def ended(self) -> Path:
        """How the run ended, where it could say it; not there while it trains."""
        return self.path / "ended.json"

    @property
    def output_log(self) -> Path:
        """A line for each stream that the run could not print to, where there was one."""
        return self.path / "output.log"

    @property
    def checkpoints(self) -> Path:
        """One folder a checkpoint."""
        return self.path / "checkpoints"

    def saved(self) -> list[int]:
        """The iterations that there are checkpoints of, by their names alone."""
        names = (path.name for path in self.checkpoints.glob("iteration-*"))
        found = (re.fullmatch(r"iteration-(\d+)(?:\.new)?", name) for name in names)
        return sorted({int(each[1]) for each in found if each is not None})

    def grid(self, name: str, iteration: int) -> Path:
        """Where the grid of one set after one iteration goes."""
        return self.path / "samples" / f"{name}-{iteration:07d}.png"

    def refuse_existing(self) -> None:
        """Raise unless the folder is new or empty; 7 if another process trains in it, else 2."""
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise RunDirectoryError(
                f"{self.path} is a file; a run needs a folder of its own: --set run.output=…"
            )
        if self.config.exists():
            with self.locked():
                pass
            raise RunDirectoryError(
                f"{self.path} exists already: ebmkit resume {self.name} goes on with it, "
                "--set run.output=… starts another"
            )
        if any(not path.name.startswith(_BEFORE_CONFIG) for path in self.path.iterdir()):
            raise RunDirectoryError(f"{self.path} is not empty and no run of ebmkit: --set run.output=…")

    def create(self) -> None:
        """Make the folder, if it can be written.

        Raises:
            RunDirectoryError: it cannot.
        """
        try:
            make_folder(self.path)
            # A full disk and a quota let a file be made and refuse what is written into it.
            probe = self.path / f".probe-{os.getpid()}"
            probe.unlink(missing_ok=True)
            try:
                write_synced(probe, b" " * 4096)
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            raise RunDirectoryError(f"cannot write the run folder {self.path}: {error.strerror}") from None

    def room_for(self, size: int, *, keep: int, best: bool = False) -> str:
        """Compare the free space with what the checkpoints of a run take.

        Args:
            size: bytes of one checkpoint.
            keep: how many are kept; one more is there while it is written.
            best: whether the best one by an evaluation is kept beside them.

        Returns:
            a warning where there is less than that, or nothing.

        Raises:
            RunDirectoryError: not even one more fits.
        """
        free = shutil.disk_usage(self.path).free
        there = sum(file.stat().st_size for file in self.checkpoints.rglob("*.safetensors"))
        needs = f"a checkpoint takes about {size / 1e6:.0f} MB, {free / 1e6:.0f} MB are free in {self.path}"
        if free < size:
            raise RunDirectoryError(f"the disk is too full to save anything: {needs}")
        if free + there < (keep + best + 1) * size:
            kept = (
                f"the {keep} checkpoints to keep{', the best one' if best else ''} and the one being written"
            )
            return f"the disk will not hold {kept}: {needs}"
        return ""

    def write_config(self, tables: dict[str, dict[str, Any]]) -> None:
        """Write the resolved run file, whole or not at all.

        Raises:
            RunDirectoryError: the folder cannot be written.
        """
        try:
            replace_file(self.config, tomli_w.dumps(_set(tables)).encode())
        except OSError as error:
            raise RunDirectoryError(f"cannot write {self.config}: {error.strerror}") from None

    def write_rollbacks(self, rollbacks: Sequence[Mapping[str, Any]]) -> None:
        """Write every rollback there was, whole or not at all."""
        replace_file(self.rollbacks, "".join(json.dumps(each) + "\n" for each in rollbacks).encode())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; the kernel gives it back however the process ends, so no stale lock remains.

        On a file system without locks (some network file systems) the process that is named in the
        folder holds it for as long as it runs on this machine.

        Raises:
            RunDirectoryInUseError: another process holds it; which, where and since when is in the message.
            RunDirectoryError: the folder cannot be written.
        """
        with self._lock():
            yield

    def held_since(self) -> float | None:
        """When the process that holds the folder took it, in seconds since the epoch; None if none does.

        Looks without holding it: a run that begins at this moment is not in the way of anybody.
        """
        file = self.path / _LOCK
        with suppress(OSError):
            status = file.stat()
            locks = _LOCKS.read_text(encoding="ascii", errors="replace").splitlines()
            flocks = [line.split() for line in locks if " FLOCK " in line]
            if any(words[5].rpartition(":")[2] == str(status.st_ino) for words in flocks):
                return status.st_mtime
        return None

    def _lock(self) -> IO[str]:
        """The locked file, with this process named in it."""
        try:
            file = (self.path / _LOCK).open("a+", encoding="utf-8", errors="replace")
            self._take(file)
            file.truncate(0)
            file.write(f"{os.getpid()} on {platform.node()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
            file.flush()
        except OSError as error:
            raise RunDirectoryError(f"cannot write the run folder {self.path}: {error.strerror}") from None
        return file

    def _take(self, file: IO[str]) -> None:
        """Lock the file, or find out who has it."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lockless = error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
            file.seek(0)
            holder = file.read() or "unknown"
            if not lockless or _runs_here(holder):
                file.close()
                raise RunDirectoryInUseError(f"{self.path} is in use by process {holder}") from None


def _set(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table without the keys that are None: TOML has no word for it, and None is their default."""
    return {
        key: _set(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if value is not None
    }


def _runs_here(holder: str) -> bool:
    """Whether the process that wrote this into a lock file is another one that runs on this machine."""
    pid, _, machine = holder.partition(" on ")
    return machine.partition(" since ")[0] == platform.node() and is_alive(pid)


def find_run(name: str | None) -> RunFolder:
    """The run of this name under ``runs/`` or of this path; without a name the one last written to.

    Raises:
        RunDirectoryError: there is none; lists the runs there are.
    """
    if name == "":  # as a path it would be the folder that the command is called in
        raise RunDirectoryError("the name of the run is empty")
    candidates = [RunFolder(Path(name)), RunFolder(RUNS / name)] if name else known_runs()[:1]
    for run in candidates:
        with suppress(OSError, ValueError):  # no file can have such a name
            if run.config.is_file():
                return run
    if not name:
        raise RunDirectoryError(f"no run under {RUNS}/ yet")
    names = [run.name for run in known_runs()]
    known = ", ".join([*names[:_LISTED], *(["…"] if names[_LISTED:] else [])]) or "none"
    hint = did_you_mean(name, names)
    raise RunDirectoryError(f"no run {quoted(name)}; runs here: {known}" + (f"; {hint}" if hint else ""))


def find_runs(names: Sequence[str] | None) -> list[RunFolder]:
    """Several runs by their names, as ``find_run`` finds one; without names the one last written to.

    Raises:
        RunDirectoryError: one of them is not there.
    """
    return [find_run(name) for name in names] if names else [find_run(None)]


def known_runs() -> list[RunFolder]:
    """The runs under ``runs/`` and in the folders there, the one last written to first."""
    found = [path.parent for pattern in ("*", "*/*") for path in RUNS.glob(f"{pattern}/config.toml")]
    found.sort(key=lambda run: max(file.stat().st_mtime_ns for file in run.iterdir()), reverse=True)
    return [RunFolder(path) for path in found]
