"""The run folder: one process at a time, everything about a run in one place."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, final

import attrs
import tomli_w

from ebmkit.errors import RunDirectoryError, RunDirectoryInUseError

__all__ = ["RUNS", "RunFolder", "find_run"]

RUNS = Path("runs")
"""Where runs live unless the run file says otherwise."""


@final
@attrs.frozen
class RunFolder:
    """The files of a run: ``config.toml``, ``metrics.jsonl``, ``samples/``, ``checkpoints/``, and more."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved run file."""
        return self.path / "config.toml"

    @property
    def metrics(self) -> Path:
        """One JSON object a logged iteration."""
        return self.path / "metrics.jsonl"

    @property
    def rollbacks(self) -> Path:
        """One JSON object a rollback, where there was one."""
        return self.path / "rollbacks.jsonl"

    @property
    def checkpoints(self) -> Path:
        """One folder a checkpoint."""
        return self.path / "checkpoints"

    def grid(self, name: str, iteration: int) -> Path:
        """Where the grid of one set after one iteration goes."""
        return self.path / "samples" / f"{name}-{iteration:07d}.png"

    def refuse_existing(self) -> None:
        """Raise unless the folder is new or empty; 7 if somebody trains in it, else 2."""
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
                f"{self.path} exists already: ebmkit resume {self.path.name} goes on with it, "
                "--set run.output=… starts another"
            )
        if any(self.path.iterdir()):
            raise RunDirectoryError(f"{self.path} is not empty and no run of ebmkit: --set run.output=…")

    def create(self) -> None:
        """Make the folder, if it can be written.

        Raises:
            RunDirectoryError: it cannot.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / ".lock"
            probe.touch()
        except OSError as error:
            raise RunDirectoryError(f"cannot write the run folder {self.path}: {error.strerror}") from None

    def write_config(self, tables: dict[str, dict[str, Any]]) -> None:
        """Write the resolved run file, whole or not at all."""
        self._replace(self.config, tomli_w.dumps(tables))

    def write_rollbacks(self, rollbacks: Sequence[Mapping[str, Any]]) -> None:
        """Write every rollback there was, whole or not at all."""
        self._replace(self.rollbacks, "".join(json.dumps(each) + "\n" for each in rollbacks))

    def _replace(self, file: Path, text: str) -> None:
        temporary = file.with_name(f".{file.stem}-{os.getpid()}{file.suffix}")
        temporary.write_text(text)
        temporary.replace(file)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; the kernel gives it back however the process ends.

        Raises:
            RunDirectoryInUseError: another process holds it; its number is in the message.
        """
        with (self.path / ".lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise RunDirectoryInUseError(f"{self.path} is in use by process {holder}") from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def find_run(name: str | None) -> RunFolder:
    """The run of this name under ``runs/`` or of this path; without a name the one last written to.

    Raises:
        RunDirectoryError: there is none; lists the runs there are.
    """
    candidates = [Path(name), RUNS / name] if name else _by_age()[-1:]
    for path in candidates:
        with suppress(OSError, ValueError):  # no file can have such a name
            if (path / "config.toml").is_file():
                return RunFolder(path)
    known = ", ".join(path.name for path in _by_age()) or "none"
    raise RunDirectoryError(f"no run {name!r}; runs here: {known}" if name else f"no run under {RUNS}/ yet")


def _by_age() -> list[Path]:
    """The runs under ``runs/``, the one last written to at the end."""
    runs = [path.parent for path in RUNS.glob("*/config.toml")]
    return sorted(runs, key=lambda run: max(file.stat().st_mtime_ns for file in run.iterdir()))
