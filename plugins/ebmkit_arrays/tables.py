"""Tables in text files of comma-separated values."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, final

import numpy as np
from numpy.typing import NDArray

from ebmkit.core import Exists, MinLen
from ebmkit.errors import DataError
from ebmkit_arrays.rows import UNREADABLE, Count, Rows, Taken
from ebmkit_arrays.scaling import Scale

if TYPE_CHECKING:
    from ebmkit.testing import SourceClaims

__all__ = ["Csv"]

_MISSING = frozenset({"", "?", "NA", "N/A", "NaN", "nan", "null", "NULL"})


@final
class Csv(Rows):
    """The rows of a table of numbers, each an example of shape ``(columns,)``.

    The first line names the columns. A field that is empty, ``?``, ``NA``, ``NaN`` or ``null`` is missing.

    Args:
        path: the file, UTF-8.
        columns: the names of those that make an example, in this order; none takes all.
        delimiter: between two fields.
        missing: a row with a missing field stops the run (``error``) or is left out and counted
            (``drop``).
        scale: ``standard``, mean 0 and standard deviation 1 for each column; ``range``, from -1 to 1 for
            each column; ``none`` and ``auto`` take the numbers as they are.
        skip: leave out that many rows at the beginning.
        limit: take at most that many after those; 0 takes all.

    Raises:
        DataError: no such file or column, or a field that is missing or not a finite number; with its line.
    """

    def __init__(
        self,
        *,
        path: Annotated[str, MinLen(1), Exists()],
        columns: tuple[str, ...] = (),
        delimiter: Annotated[str, MinLen(1)] = ",",
        missing: Literal["error", "drop"] = "error",
        scale: Scale = "standard",
        skip: Count = 0,
        limit: Count = 0,
    ) -> None:
        if len(delimiter) != 1:
            raise DataError(f"delimiter = {delimiter!r} is not one character")
        try:
            with open(path, encoding="utf-8-sig", newline="") as file:  # noqa: PTH123 - a path as the user wrote it
                table = _Table(path, csv.reader(file, delimiter=delimiter), columns)
                rows = table.rows(drop=missing == "drop")
        except (*UNREADABLE, csv.Error) as error:
            raise DataError(f"cannot read {path!r}: {error}") from None
        self.columns = table.columns
        self.notes = (f"{table.dropped} rows with missing fields are left out",) if table.dropped else ()
        super().__init__(
            rows, path=path, taken=Taken(scale, skip, limit), settings=(self.columns, delimiter, missing)
        )

    @staticmethod
    def conformance() -> SourceClaims:
        """What ``ebmkit plugins check source/csv`` reads without a path: a table of eight rows."""
        from ebmkit.testing import SourceClaims
        from ebmkit_arrays.samples import write_csv

        return SourceClaims(files=write_csv, bounded=False)


class _Table:
    """A table as it is read, line by line."""

    def __init__(self, path: str, reader: Iterator[list[str]], columns: Sequence[str]) -> None:
        self.path = path
        self.dropped = 0
        self._lines = enumerate(reader, start=2)
        self.names = [name.strip() for name in next(reader, [])]
        if not self.names:
            raise DataError(f"{path!r} is empty: its first line names the columns")
        if unknown := [name for name in columns if name not in self.names]:
            raise DataError(f"{path!r} has no column {unknown[0]!r}; there are: {', '.join(self.names)}")
        if repeated := [name for name in columns if self.names.count(name) > 1]:
            count = self.names.count(repeated[0])
            raise DataError(
                f"{path!r} has {count} columns {repeated[0]!r}: columns = … cannot tell them apart"
            )
        self.columns = tuple(columns) or tuple(self.names)
        self._at = [self.names.index(name) for name in columns] or list(range(len(self.names)))

    def rows(self, *, drop: bool) -> NDArray[np.float64]:
        """The numbers of the chosen columns, ``(N, columns)``."""
        return np.array(list(self._numbers(drop)), np.float64).reshape(-1, len(self.columns))

    def _numbers(self, drop: bool) -> Iterable[list[float]]:
        for line, fields in self._lines:
            if not fields:  # an empty line
                continue
            if len(fields) != len(self.names):
                raise DataError(
                    f"{self.path}:{line}: {len(fields)} fields, where {len(self.names)} columns are named"
                )
            chosen = [fields[at].strip() for at in self._at]
            if drop and not _MISSING.isdisjoint(chosen):
                self.dropped += 1
                continue
            yield [self._number(text, name, line) for text, name in zip(chosen, self.columns, strict=True)]

    def _number(self, text: str, name: str, line: int) -> float:
        if text in _MISSING:
            help_ = 'missing = "drop" leaves such rows out'
            raise DataError(f"{self.path}:{line}: column {name!r} is missing; {help_}")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            help_ = "columns = [...] chooses those that hold numbers"
            raise DataError(
                f"{self.path}:{line}: column {name!r} holds {text!r}, not a finite number; {help_}"
            )
        return number
