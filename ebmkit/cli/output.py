"""Where answers go: one JSON object on stdout, or files in a folder that can be written."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from ebmkit.messages.streams import writer

__all__ = ["Json", "answering", "writing"]

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, with every problem, and nothing else.")
]


@contextmanager
def answering(as_json: bool, *, vital: bool = True) -> Iterator[dict[str, Any]]:
    """Collect an answer and print it at the end; without ``as_json`` it goes nowhere.

    An error becomes the object's ``errors``, each with code, message, path, line, column and suggestion
    where it has them, and its exit code the command's. Everything that is printed meanwhile, by Python or
    below it, goes to stderr.

    Args:
        as_json: whether to print it.
        vital: whether a command whose answer cannot be written has failed.
    """
    answer: dict[str, Any] = {}
    if not as_json:
        yield answer
        return
    code = 0
    with _stdout_kept_free(vital=vital) as stdout:
        from ebmkit.errors import EbmkitError

        try:
            yield answer
        except EbmkitError as error:
            code = error.exit_code
            answer["errors"] = _errors(error)
        except typer.Exit as stopped:
            code = stopped.exit_code
        print(json.dumps({"exit_code": code, **answer}, indent=1), file=stdout, flush=True)
    raise typer.Exit(code)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make files in a folder, which need not be there yet; an obstacle is reported before anything is done.

    Raises:
        RunDirectoryError: it cannot be written, or the disk is full.
    """
    from ebmkit.errors import RunDirectoryError

    above = next(each for each in (folder, *folder.absolute().parents) if os.path.lexists(each))
    if not above.is_dir():
        raise RunDirectoryError(f"cannot write {folder}: {above} is not a folder; --output chooses another")
    if not os.access(above, os.W_OK):
        raise RunDirectoryError(f"cannot write {folder}: {above} is read-only; --output chooses another")
    try:
        yield
    except OSError as error:
        place = error.filename or folder
        raise RunDirectoryError(f"cannot write {place}: {error.strerror or error}") from error


def _errors(error: Exception) -> list[dict[str, object]]:
    from ebmkit.config import ConfigProblemsError
    from ebmkit.config.problems import as_json

    return as_json(error.problems) if isinstance(error, ConfigProblemsError) else [{"message": str(error)}]


@contextmanager
def _stdout_kept_free(*, vital: bool) -> Iterator[TextIO]:
    """Stdout as it was, while everything else that writes to it reaches stderr."""
    stdout = sys.stdout
    stdout.flush()
    try:
        descriptor, elsewhere = stdout.fileno(), sys.stderr.fileno()
    except OSError:  # replaced by something that is no file, as in a test
        with redirect_stdout(sys.stderr):
            yield stdout
        return
    kept = os.dup(descriptor)
    try:
        with redirect_stdout(sys.stderr), writer(os.dup(kept), "stdout", vital=vital) as free:
            os.dup2(elsewhere, descriptor)
            yield free
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
