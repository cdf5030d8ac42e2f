"""Opening a sweep: the file of its trials, and whether it is still the same sweep."""

from __future__ import annotations

import fcntl
import importlib
import json
from pathlib import Path
from typing import IO, Any, final

import attrs

from ebmkit.applications.sweep.file import SweepFile
from ebmkit.applications.sweep.study import Study, alone
from ebmkit.config.changes import Difference, differences
from ebmkit.errors import ConfigError
from ebmkit.messages.quoting import shortened
from ebmkit.storage.durable import make_folder

__all__ = ["open_study"]


def open_study(file: SweepFile, folder: Path) -> Study:
    """The trials of a sweep there are, or a new sweep.

    Args:
        file: what is searched.
        folder: of the sweep, which is made.

    Raises:
        ConfigError: Optuna is not installed, or the sweep that stands there is another one.
    """
    optuna = _optuna()
    make_folder(folder)
    table = file.table
    with alone(folder):
        storage = _storage(optuna, folder, table.storage)
        pruner = optuna.pruners.NopPruner()
        if table.pruner == "median":
            pruner = optuna.pruners.MedianPruner(table.startup, table.warmup)
        made = optuna.create_study(
            storage=storage,
            study_name=table.name,
            direction=table.direction,
            pruner=pruner,
            load_if_exists=True,
        )
        _refuse_another(made, file)
    return Study(file, folder, optuna, made, storage)


def _optuna() -> Any:
    try:
        optuna = importlib.import_module("optuna")
    except ImportError as error:
        raise ConfigError(
            f"ebmkit sweep needs Optuna, which is not installed ({error}): pip install 'ebmkit-torch[sweep]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _storage(optuna: Any, folder: Path, kind: str) -> Any:
    if kind == "sqlite":
        return optuna.storages.RDBStorage(f"sqlite:///{(folder / 'study.sqlite').absolute()}")
    path = folder / "study.journal"
    backend = importlib.import_module("optuna.storages.journal").JournalFileBackend
    lock = _KernelLock(path.with_suffix(".lock"))
    return optuna.storages.JournalStorage(backend(str(path), lock_obj=lock))


@final
@attrs.define
class _KernelLock:
    """A lock that the kernel gives back when its process is killed, where Optuna's own stays for good."""

    path: Path
    _held: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Wait until no other process holds it."""
        self._held = self.path.open("ab")
        fcntl.flock(self._held, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Give it back."""
        if self._held is not None:
            self._held.close()


def _refuse_another(study: Any, file: SweepFile) -> None:
    """Refuse to go on with a sweep that the file no longer describes; of a new one remember what decides.

    Raises:
        ConfigError: shows each key, then and now.
    """
    now = json.loads(json.dumps(file.deciding()))
    then = study.user_attrs.get("deciding")
    if then is None:
        study.set_user_attr("deciding", now)
        return
    changed = [each for part in now for each in differences({part: then[part]}, {part: now[part]})]
    if changed:
        lines = (f"  {_name(each)} was {_short(each.was)}, is {_short(each.now)}" for each in changed)
        raise ConfigError(
            "the sweep file changed since the first trial, and the trials would not compare:\n"
            + "\n".join(lines)
            + "\nname = … in [sweep] begins another sweep"
        )


def _name(changed: Difference) -> str:
    """As the file has it: inside ``[sweep]``, or a key of the run file."""
    return ".".join(changed.key[1:])


def _short(value: Any) -> str:
    return "not there" if value is None else shortened(json.dumps(value), 40)
