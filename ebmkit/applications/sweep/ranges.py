"""What a key of a run file may be in the trials of a sweep. Neither torch nor Optuna is needed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

import attrs

from ebmkit.config import Key, Reader, as_toml, signature_of
from ebmkit.messages.quoting import quoted

__all__ = ["Range", "read_ranges"]

_DIGITS = 12
"""Of a grid's points: 0.1 + 2 · 0.1 is 0.3 there."""

_MOST = 100_000
"""Points of a grid in one direction: more than anybody trains."""


@attrs.frozen(kw_only=True)
class _Keys:
    """The keys of a range.

    Args:
        low: the least value.
        high: the largest.
        log: draw its logarithm evenly.
        step: between values; of a grid, or to round to.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None


_NAMES = (*(each.name for each in attrs.fields(_Keys)), "choices")


@final
@attrs.frozen
class Range:
    """The values of one key.

    Attributes:
        key: ``table.key`` of the run file.
        low: the least value; None where there are choices.
        high: the largest.
        log: whether its logarithm is drawn evenly.
        step: between values; None for any.
        choices: as TOML; empty where there are bounds.
    """

    key: str
    low: float | None
    high: float | None
    log: bool
    step: float | None
    choices: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers: those of a range whose bounds are written so."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def endless(self) -> bool:
        """Whether its steps are too many for a grid."""
        if self.low is None or self.high is None or self._step is None:
            return False
        return (self.high - self.low) / self._step >= _MOST

    def points(self) -> Sequence[str]:
        """Every value, as TOML; none where there is no end of them."""
        if self.choices or self.low is None or self.high is None or self._step is None or self.endless:
            return self.choices
        count = int((self.high - self.low) / self._step + 1e-9) + 1
        values = (self.low + number * self._step for number in range(count))
        return [as_toml(int(value) if self.whole else round(value, _DIGITS)) for value in values]

    @property
    def _step(self) -> float | None:
        return self.step or (1 if self.whole and not self.log else None)

    def ends(self) -> Sequence[str]:
        """Values that stand for all when a run file is checked, as TOML."""
        return self.choices or [as_toml(self.low), as_toml(self.high)]


def read_ranges(reader: Reader, *, grid: bool) -> list[Range]:
    """The ranges of ``[sweep.parameters]``; what is wrong with them is remembered by the reader.

    Args:
        reader: of a sweep file.
        grid: whether every value must be one of finitely many.
    """
    above = ("sweep", "parameters")
    found = [_read(reader, key, table) for key, table in _tables(reader, reader.table(above) or {}, above)]
    if not found and not reader.problems:
        reader.report("E106", 'missing table [sweep.parameters]: "table.key" = { low = …, high = … }', above)
    for key, each in found:
        if grid and not each.points() and not reader.problems:
            wanted = "choices or a larger step" if each.endless else "choices or a step"
            reader.report("E106", f"a grid needs {each.key} to have {wanted}", key)
    return [each for _, each in found]


def _tables(reader: Reader, table: Mapping[str, Any], above: Key) -> Iterator[tuple[Key, Mapping[str, Any]]]:
    """Each range with the place where it stands: ``revision.step_size = …`` with or without quotes."""
    for name, value in table.items():
        key = (*above, name)
        if not isinstance(value, dict):
            reader.report("E104", f"{name!r} must be a range, got {quoted(value)}", key, value=True)
        elif value.keys() & set(_NAMES) or not any(isinstance(each, dict) for each in value.values()):
            yield key, value
        else:
            yield from _tables(reader, value, key)


def _read(reader: Reader, key: Key, table: Mapping[str, Any]) -> tuple[Key, Range]:
    name = ".".join(key[2:])
    values = reader.values(
        key, signature_of(_Keys).parameters, owner=f"the range of {name}", ignore=["choices"]
    )
    choices = table.get("choices", [])
    texts = tuple(dict.fromkeys(as_toml(each) for each in choices)) if isinstance(choices, list) else ()
    # As they are written: 1 is a whole number and 1.0 is not.
    low, high = (table.get(end) if values[end] is not None else None for end in ("low", "high"))
    step = values["step"]
    found = Range(name, low, high, values["log"], int(step) if step and step == int(step) else step, texts)
    if (fault := _fault(found, table)) is not None:
        reader.report("E105", fault, key)
    return key, found


def _fault(found: Range, table: Mapping[str, Any]) -> str | None:
    """What is wrong with a range whose values have the right types."""
    name, chosen = found.key, "choices" in table
    low, high, step = found.low or 0, found.high or 0, found.step
    faults = {
        f"{quoted(name)} names no key of a run file: table.key": "." not in name,
        f"the choices of {name} must be a list that holds something": chosen and not found.choices,
        f"{name} has choices and bounds: one of them": chosen and len(table) > 1,
        f"the range of {name} needs low and high, or choices": not chosen and None in (found.low, found.high),
        f"the range of {name} is empty: low = {low} is not below high = {high}": not chosen and low >= high,
        f"the range of {name} is logarithmic: low must be above 0": found.log and low <= 0,
        f"the range of {name} is logarithmic: it has no step": found.log and step is not None,
        f"the step of {name} must be above 0": step is not None and step <= 0,
        f"the bounds of {name} are whole, so must be its step": found.whole and isinstance(step, float),
    }
    return next((message for message, wrong in faults.items() if wrong), None)
