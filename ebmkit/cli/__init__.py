"""The command line. torch is imported inside commands, so that ``--help`` is quick."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from typing import Annotated

import typer

from ebmkit import __version__
from ebmkit.cli.check import check
from ebmkit.cli.complete import complete
from ebmkit.cli.diagnose import diagnose
from ebmkit.cli.doctor import doctor
from ebmkit.cli.evaluate import evaluate
from ebmkit.cli.explain import explain
from ebmkit.cli.export import export
from ebmkit.cli.interpolate import interpolate
from ebmkit.cli.new import new
from ebmkit.cli.plugins import plugins
from ebmkit.cli.recover import recover
from ebmkit.cli.report import report
from ebmkit.cli.resume import resume
from ebmkit.cli.run import run
from ebmkit.cli.sample import sample
from ebmkit.cli.score import score
from ebmkit.cli.status import status
from ebmkit.cli.sweep import sweep
from ebmkit.cli.track import track
from ebmkit.errors import (
    CheckpointError,
    ConfigError,
    EbmkitError,
    LostProcessError,
    PluginError,
    RunDirectoryError,
    TrainingError,
)
from ebmkit.messages.colour import coloured

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    *(new, run, resume, status, report, check, sample, score, evaluate, recover, complete, interpolate),
    *(diagnose, export, sweep, track, doctor, explain),
):
    app.command()(command)
app.add_typer(plugins, name="plugins")


def _version(asked: bool) -> None:
    if asked:
        print(f"ebmkit {__version__}")
        raise typer.Exit


@app.callback()
def globally(
    context: typer.Context,
    switched_off: Annotated[
        list[str] | None,
        typer.Option(
            "-p", metavar="no:NAME", help="Switch a plugin off; may be repeated.", show_default=False
        ),
    ] = None,
    trust_code: Annotated[
        bool,
        typer.Option("--trust-code", help="Load the code that a run names though you never ran it yourself."),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train and use energy-based models from interchangeable parts."""
    del version
    from ebmkit.registry.selection import switch_off
    from ebmkit.registry.trust import trusting

    switch_off(switched_off or ())
    context.with_resource(trusting(trust_code))


def main() -> None:
    """Run a command; an error people can act on is one message on stderr and its exit code."""
    try:
        _refuse_empty(sys.argv)
        app()
    except EbmkitError as error:
        if os.environ.get("EBMKIT_DEBUG"):
            raise
        if not (error.silent or _told_by_a_neighbour(error)):
            message = str(error)
            if (rank := os.environ.get("RANK", "0")) != "0" and not isinstance(error, LostProcessError):
                message = f"rank {rank}: {message}"
            _tell(message if message.startswith("error") else f"error: {message}")
            _mention_old_versions(error)
        sys.exit(error.exit_code)
    except (OSError, RuntimeError) as error:
        if not (said := _completing(error)):
            raise
        _tell(f"error: {said}")
        sys.exit(ConfigError.exit_code)


def _tell(message: str) -> None:
    """A message for people."""
    print(coloured(message, sys.stderr), file=sys.stderr)


def _completing(error: Exception) -> str:
    """What kept typer from writing the completion of a shell, where that was asked for; or nothing."""
    asked = "--install-completion" in sys.argv[1:2]
    return f"cannot install the completion: {error}; --show-completion prints it" if asked else ""


def _mention_old_versions(error: EbmkitError) -> None:
    """What a part or a training fails of may be a dependency of before ebmkit's time."""
    from ebmkit.requirements import too_old

    for line in too_old() if isinstance(error, PluginError | TrainingError) else ():
        _tell(f"note: {line}")


def _refuse_empty(words: list[str]) -> None:
    """Raise where a word of the command is empty: a shell makes one of a variable that is not set.

    No command takes one, and a path made of it would be the folder that the command is called in.
    """
    for before, word in pairwise(words):
        if not word:
            raise ConfigError(f"an empty argument stands behind {before}: is a shell variable not set?")
        if word.startswith("--") and word.find("=") == len(word) - 1:
            raise ConfigError(f"{word} gives no value: is a shell variable not set?")


def _told_by_a_neighbour(error: EbmkitError) -> bool:
    """Of several processes on one machine the first tells what all of them find in their files."""
    alike = (ConfigError, PluginError, CheckpointError, RunDirectoryError)
    return isinstance(error, alike) and os.environ.get("LOCAL_RANK", "0") != "0"
