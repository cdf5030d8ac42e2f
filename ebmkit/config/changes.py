"""What changed between a checkpoint and the run that wants to go on from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from ebmkit.errors import ConfigError, DataError
from ebmkit.messages.quoting import shortened

__all__ = ["Allowed", "is_harmless", "refuse_changes"]

_HARMLESS = frozenset(
    {
        "run.iterations",
        "run.device",
        "run.verify",
        "run.output",
        "run.log_every",
        "run.samples_every",
        "run.checkpoint_every",
        "run.keep",
        "run.rank_timeout",
        "data.workers",
        "guard",
    }
)
"""Keys and tables that a resumed run may change: no weight depends on them.

On those of ``[guard]`` none does before the next divergence, and a run that has diverged needs them: what
its rollbacks multiplied rates and steps by is remembered with each of them.
"""


class Allowed(NamedTuple):
    """What the user says may have changed.

    Attributes:
        keys: of the run file, ``table.key``.
        data: whether the data may be others.
    """

    keys: Collection[str] = ()
    data: bool = False


def refuse_changes(
    then: Mapping[str, Any], now: Mapping[str, Any], allowed: Allowed, *, place: Callable[[str], str]
) -> list[str]:
    """Compare the facts of a checkpoint with those of the run that goes on from it.

    Args:
        then: of the checkpoint.
        now: of the run.
        allowed: the changes to accept.
        place: where a ``table.key`` of the run file stands.

    Returns:
        a line for each change that was allowed.

    Raises:
        ConfigError: the run file changed elsewhere; shows each key, then, now and where it stands.
        DataError: the data are others; shows them, then and now.
    """
    changed = _differences(then.get("config", {}), json.loads(json.dumps(now["config"])))
    unforeseen = {key: values for key, values in changed.items() if not _covers(allowed.keys, key)}
    if unforeseen:
        options = " ".join(f"--allow-change {key}" for key in unforeseen)
        raise ConfigError(
            "the run file changed since this checkpoint, and a resumed run needs the same:\n"
            f"{_table(unforeseen, place)}\n"
            f"Go on all the same with {options}; the result is then no longer that of one run file"
        )
    data = {f"data.{name}": (then.get("data", {}).get(name), is_) for name, is_ in now["data"].items()}
    data = {key: pair for key, pair in data.items() if pair[0] != pair[1]}
    if data and not allowed.data:
        raise DataError(
            "the data changed since this run began, and a resumed run needs the same:\n"
            f"{_table(data, lambda _: '')}\nGo on all the same with --accept-data-change"
        )
    return [
        f"changed: {key} from {_short(was)} to {_short(is_)}" for key, (was, is_) in (changed | data).items()
    ]


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Each key of the run file that differs. Keys that the older release did not have hold their defaults."""
    found: dict[str, tuple[Any, Any]] = {}
    for table in [*then, *(name for name in now if then and name not in then)]:
        was, is_ = then.get(table), now.get(table)
        if was is None or is_ is None:
            found[table] = (was and was.get("use"), is_ and is_.get("use"))
            continue
        found |= {f"{table}.{key}": (was[key], is_.get(key)) for key in was if was[key] != is_.get(key)}
    return {key: pair for key, pair in found.items() if not is_harmless(key)}


def is_harmless(key: str) -> bool:
    """Whether no weight depends on this ``table.key`` of a run file."""
    return _covers(_HARMLESS, key)


def _covers(keys: Collection[str], key: str) -> bool:
    """Whether a key, or the table around it, is among these."""
    return key in keys or key.partition(".")[0] in keys


def _table(changed: Mapping[str, tuple[Any, Any]], place: Callable[[str], str]) -> str:
    rows = [("key", "then", "now", "")]
    rows += [(key, _short(was), _short(is_), place(key)) for key, (was, is_) in changed.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"  {line}".rstrip() for line in lines)


def _short(value: Any) -> str:
    return "-" if value is None else shortened(json.dumps(value), 28)
