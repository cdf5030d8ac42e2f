"""What a checkpoint remembers beside tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import attrs

from ebmkit.config.former import present_names
from ebmkit.training.guard import Memory, Rollback

__all__ = ["DataFacts", "Facts", "Origin"]


@final
@attrs.frozen
class DataFacts:
    """The data of a training.

    Attributes:
        shape: of an example.
        examples: how many there were.
        sha256: their fingerprint; empty where none was taken.
        classes: their names; empty where the data had none.
    """

    shape: tuple[int, ...]
    examples: int
    sha256: str = ""
    classes: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: Any) -> DataFacts:
        """Read what ``attrs.asdict`` wrote.

        Raises:
            ValueError: it did not write this.
        """
        table = _table(data)
        shape = tuple(_count(side) for side in _list(table["shape"]))
        classes = tuple(_text(each) for each in _list(table.get("classes", [])))
        return cls(shape, _count(table["examples"]), _text(table.get("sha256", "")), classes)


@final
@attrs.frozen
class Origin:
    """The run whose weights a training began with, and the iteration they were of."""

    run: str
    iteration: int

    @classmethod
    def from_json(cls, data: Any) -> Origin:
        """Read what ``attrs.asdict`` wrote.

        Raises:
            ValueError: it did not write this.
        """
        table = _table(data)
        return cls(_text(table["run"]), _count(table["iteration"]))


@final
@attrs.frozen(kw_only=True)
class Facts:
    """What belongs to a training beside its tensors.

    Attributes:
        config: the resolved run file, table by table; empty where it is not known.
        data: what it learned from.
        plugins: versions of the distributions of its parts.
        threads: that computed it; sums split otherwise round otherwise.
        processes: that trained it together.
        versions: of ebmkit, torch and Python.
        origin: whose weights it began with, if not those of its seed.
        guard: what the guard remembers.
    """

    config: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    data: DataFacts | None = None
    plugins: Mapping[str, str] = attrs.field(factory=dict)
    threads: int | None = None
    processes: int = 1
    versions: Mapping[str, str] = attrs.field(factory=dict)
    origin: Origin | None = None
    guard: Memory | None = None

    @property
    def rollbacks(self) -> tuple[Rollback, ...]:
        """All that the training had."""
        return () if self.guard is None else self.guard.rollbacks

    def to_json(self) -> dict[str, Any]:
        """The entries of a manifest; those that nothing is known of are left out."""
        entries = {
            "config": self.config,
            "data": None if self.data is None else attrs.asdict(self.data),
            "plugins": self.plugins,
            "threads": self.threads,
            "processes": self.processes,
            "versions": self.versions,
            "from": None if self.origin is None else attrs.asdict(self.origin),
            "guard": None if self.guard is None else self.guard.to_json(),
        }
        return {name: value for name, value in entries.items() if value not in (None, {})}

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> Facts:
        """Read the entries of a manifest; those that this release does not know are passed over.

        Raises:
            ValueError: an entry is not what ``to_json`` writes; says which.
        """
        readers = {
            "config": _config,
            "data": DataFacts.from_json,
            "plugins": _texts,
            "threads": _count,
            "processes": _count,
            "versions": _texts,
            "from": Origin.from_json,
            "guard": _guard(entries.get("config")),
        }
        known = {name: _read(name, read, entries[name]) for name, read in readers.items() if name in entries}
        return cls(**{"origin" if name == "from" else name: value for name, value in known.items()})


def _read(name: str, reader: Any, entry: Any) -> Any:
    try:
        return reader(entry)
    except KeyError as error:
        raise ValueError(f"{name!r} has no {error}") from None
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{name!r} cannot be read: {error}") from None


def _guard(config: Any) -> Any:
    """The reader of the guard's memory; rollbacks that say no factors had those of the table."""
    table = config.get("guard") if isinstance(config, dict) else None
    factors = {name: value for name, value in (table or {}).items() if name in ("step_factor", "rate_factor")}
    return lambda entry: Memory.from_json(_table(entry), factors)


def _config(entry: Any) -> Mapping[str, Mapping[str, Any]]:
    return present_names({name: _table(table) for name, table in _table(entry).items()})


def _texts(entry: Any) -> dict[str, str]:
    return {name: _text(value) for name, value in _table(entry).items()}


def _table(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise TypeError(f"a {type(entry).__name__} where a table should be")
    return entry


def _list(entry: Any) -> list[Any]:
    if not isinstance(entry, list | tuple):
        raise TypeError(f"a {type(entry).__name__} where a list should be")
    return list(entry)


def _count(entry: Any) -> int:
    if type(entry) is not int or entry < 0:
        raise ValueError(f"{str(entry)[:40]!r} where a number of something should be")
    return entry


def _text(entry: Any) -> str:
    if not isinstance(entry, str):
        raise TypeError(f"a {type(entry).__name__} where text should be")
    return entry
