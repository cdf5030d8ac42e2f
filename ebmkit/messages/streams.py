"""Stdout and stderr: they take every text, and a training outlives them.

Python lets a letter that the terminal lacks, a full disk behind ``> log``, or a reader that is gone end the
program, some of it only while it exits. Here letters are replaced, and a stream that cannot be written ends
a command that has nothing but its answer (``StreamError``; silently where the reader is gone, as in
``| head``), never a training.
"""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO, final

from ebmkit.errors import StreamError
from ebmkit.messages.legible import LEGIBLE

__all__ = ["outliving", "standard_streams", "writer"]

_BY_DEFAULT = ("strict", "surrogateescape", "backslashreplace")
"""What Python sets by itself; another choice is the user's (``PYTHONIOENCODING=ascii:xmlcharrefreplace``)."""

_GONE = (errno.EPIPE, errno.ECONNRESET)

_PIPE = 128 + signal.SIGPIPE
"""The exit code by which shells know a program whose reader was gone, which is not an error."""


class _ReaderGoneError(SystemExit):
    """Nobody reads any more: told from an error, because it is none."""


@final
class _Outlet(io.FileIO):
    """The lowest layer of a stream: what Python prints comes out of it whole or not at all."""

    def __init__(self, descriptor: int, name: str, *, vital: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.label = name
        self.vital = vital
        self.lost = ""

    def write(self, data: Any, /) -> int:
        """Write all of it, as a pipe that was made non-blocking would not; nothing once it is lost."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left and not (self.lost and self.vital):
                written = super().write(left)
                if written is None:  # it belongs to a program that made it non-blocking, and is full
                    select.select([], [self], [])
                left = left[written or 0 :]
        except OSError as error:
            self._fail(error)
        return size

    def _fail(self, error: OSError) -> None:
        """Remember that something was lost, and end what is nothing without it."""
        self.lost = self.lost or error.strerror or str(error)
        if self.vital:
            if error.errno in _GONE:
                raise _ReaderGoneError(_PIPE)
            raise StreamError(f"cannot write to {self.label}: {self.lost}")


_outlets: Final[dict[str, _Outlet]] = {}
"""Of this process, by name: there is one stdout and one stderr."""


@contextmanager
def standard_streams() -> Iterator[None]:
    """Print through outlets meanwhile; what is still unwritten is written at the end.

    Streams that were closed before the program began lead nowhere: otherwise the next file that is opened,
    a checkpoint perhaps, would take their number, and with it every warning that native code prints.

    Raises:
        SystemExit: with 3 where the answer of a command could not be written, as stderr says, and
            with 141 (128 + SIGPIPE) where its reader is gone.
    """
    before = sys.stdout, sys.stderr
    filled = _fill_closed()
    sys.stdout = _through_outlet(sys.stdout, "stdout", 1, filled)
    sys.stderr = _through_outlet(sys.stderr, "stderr", 2, filled)
    try:
        yield
        _end()
    except SystemExit as stopped:
        if not stopped.code:  # otherwise something else was told already
            _end()
        raise
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(StreamError, _ReaderGoneError):
                stream.flush()
        sys.stdout, sys.stderr = before
        _outlets.clear()


@contextmanager
def outliving() -> Iterator[Mapping[str, str]]:
    """What happens meanwhile is worth more than what is printed of it: nothing printed ends it.

    Yields:
        the streams of which something was lost so far, with the reason: ``{"stdout": "Broken pipe"}``.
    """
    outlets = dict(_outlets)
    vital = {name for name, outlet in outlets.items() if outlet.vital}
    for outlet in outlets.values():
        outlet.vital = False
    try:
        yield _Lost(outlets)
    finally:
        for name in vital:
            outlets[name].vital = not outlets[name].lost


@contextmanager
def writer(descriptor: int, name: str, *, vital: bool) -> Iterator[TextIO]:
    """Text to a file descriptor, which is closed at the end, as ``standard_streams`` writes it.

    Args:
        descriptor: of the file.
        name: of the stream, for messages.
        vital: whether the command is nothing without it.

    Raises:
        StreamError: it is vital and could not be written.
    """
    with os.fdopen(descriptor, "wb", buffering=0), _text(_Outlet(descriptor, name, vital=vital)) as text:
        yield text


@final
class _Lost(Mapping[str, str]):
    """Why something was lost, by the name of the stream; it grows."""

    def __init__(self, outlets: Mapping[str, _Outlet]) -> None:
        self._outlets = outlets

    def __getitem__(self, name: str) -> str:
        if not self._outlets[name].lost:
            raise KeyError(name)
        return self._outlets[name].lost

    def __iter__(self) -> Iterator[str]:
        return (name for name, outlet in self._outlets.items() if outlet.lost)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _fill_closed() -> set[int]:
    """Let the numbers of stdin, stdout and stderr lead nowhere where they are closed; which were."""
    filled = set()
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number: this one
            filled.add(number)
    return filled


def _through_outlet(stream: TextIO | None, name: str, number: int, filled: set[int]) -> TextIO:
    """The stream with an outlet below it; itself where something that is no file was put in its place."""
    if stream is None:  # closed when Python started
        nowhere = number if number in filled else os.open(os.devnull, os.O_WRONLY)
        _outlets[name] = _Outlet(nowhere, name, vital=False)
        _outlets[name].lost = "closed"
        return _text(_outlets[name])
    if not isinstance(stream, io.TextIOWrapper) or stream.fileno() != number:
        return stream
    with suppress(OSError):
        stream.flush()
    _outlets[name] = _Outlet(number, name, vital=name == "stdout")
    errors = LEGIBLE if stream.errors in _BY_DEFAULT else stream.errors
    return _text(_outlets[name], stream.encoding, errors, lines=name == "stderr" or stream.line_buffering)


def _text(
    outlet: _Outlet, encoding: str = "utf-8", errors: str | None = LEGIBLE, *, lines: bool = False
) -> TextIO:
    # Without a buffer, stderr can be printed to by the handler of a signal that came while it was printed to.
    buffer: Any = outlet if outlet.label == "stderr" else io.BufferedWriter(outlet)
    return io.TextIOWrapper(buffer, encoding, errors, line_buffering=lines, write_through=buffer is outlet)


def _end() -> None:
    """Write what is still unwritten; say on stderr that it cannot be."""
    try:
        sys.stdout.flush()
    except StreamError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
