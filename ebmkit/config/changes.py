"""What differs between a checkpoint and the run file that stands there now."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, final

import attrs

from ebmkit.config import Key
from ebmkit.errors import ConfigError, DataError
from ebmkit.messages.quoting import shortened

__all__ = ["Allowed", "Difference", "differences", "is_harmless", "refuse_changes"]

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
        "evaluation",
        "guard",
        "trackers",
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


@final
@attrs.frozen
class Difference:
    """A key that has another value now than it had then; None where it is, or was, not there.

    Attributes:
        key: where it stands, from the outermost table on.
        was: then.
        now: now.
    """

    key: Key
    was: Any
    now: Any

    @property
    def name(self) -> str:
        """``table.key``."""
        return ".".join(self.key)

    @property
    def of_a_table(self) -> bool:
        """Whether a whole table came or went."""
        return isinstance(self.was, dict) or isinstance(self.now, dict)


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """What differs between two resolved run files, key by key, but for keys that no weight depends on.

    A key that an older release did not have holds its default there, so only a table can be new. A run file
    that nothing is known of, ``{}``, differs in nothing.

    Args:
        then: the tables of a checkpoint.
        now: those of the run file.
    """
    return list(_differences(_plain(then), _plain(now), ())) if then else []


def refuse_changes(
    config: Sequence[Mapping[str, Any]],
    data: Sequence[Mapping[str, Any]],
    allowed: Allowed,
    *,
    place: Callable[[str], str],
) -> list[str]:
    """Compare a checkpoint with the run that goes on from it.

    Args:
        config: the resolved run file, then and now.
        data: what is known of the data, then and now.
        allowed: the changes to accept.
        place: where a ``table.key`` of the run file stands.

    Returns:
        a line for each change that was allowed.

    Raises:
        ConfigError: the run file changed elsewhere; shows each key, then, now and where it stands.
        DataError: the data are others; shows them, then and now.
    """
    changed = differences(*config)
    unforeseen = [each for each in changed if not _covers(allowed.keys, each.name)]
    if unforeseen:
        options = " ".join(f"--allow-change {each.name}" for each in unforeseen)
        raise ConfigError(
            "the run file changed since this checkpoint, and a resumed run needs the same:\n"
            f"{_table(unforeseen, place)}\n"
            f"Go on all the same with {options}; the result is then no longer that of one run file"
        )
    then, now = map(_plain, data)
    others = [
        Difference(("data", name), then.get(name), is_) for name, is_ in now.items() if then.get(name) != is_
    ]
    if others and not allowed.data:
        raise DataError(
            "the data changed since this run began, and a resumed run needs the same:\n"
            f"{_table(others, lambda _: '')}\nGo on all the same with --accept-data-change"
        )
    return [
        f"changed: {each.name} from {_short(each.was)} to {_short(each.now)}" for each in changed + others
    ]


def _differences(then: Mapping[str, Any], now: Mapping[str, Any], above: Key) -> Iterator[Difference]:
    new = [name for name, value in now.items() if name not in then and isinstance(value, dict)]
    for name in [*then, *new]:
        key, was, is_ = (*above, name), then.get(name), now.get(name)
        if was == is_ or is_harmless(".".join(key)):
            continue
        if isinstance(was, dict) and isinstance(is_, dict):
            yield from _differences(was, is_, key)
        else:
            yield Difference(key, was, is_)


def _plain(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Tables as JSON gives them back: a tuple is a list there."""
    plain: dict[str, Any] = json.loads(json.dumps(tables))
    return plain


def is_harmless(key: str) -> bool:
    """Whether no weight depends on this ``table.key`` of a run file."""
    return _covers(_HARMLESS, key)


def _covers(keys: Collection[str], key: str) -> bool:
    """Whether a key, or a table around it, is among these."""
    words = key.split(".")
    return any(".".join(words[:count]) in keys for count in range(1, len(words) + 1))


def _table(changed: Sequence[Difference], place: Callable[[str], str]) -> str:
    rows = [("key", "then", "now", "")]
    rows += [(each.name, _short(each.was), _short(each.now), place(each.name)) for each in changed]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"  {line}".rstrip() for line in lines)


def _short(value: Any) -> str:
    """A value in few characters; of a table, what it names."""
    value = value.get("use", value) if isinstance(value, dict) else value
    return "-" if value is None else shortened(json.dumps(value), 28)
