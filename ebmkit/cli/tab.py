"""What the shell offers at <TAB>: keys and values of run files, parts, runs. None of it imports torch."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, ParamSpec, get_args, get_origin

import typer

__all__ = ["components", "overrides", "runs"]

P = ParamSpec("P")


def _quietly(offer: Callable[P, Iterable[str]]) -> Callable[P, list[str]]:
    """Nothing is offered where something is wrong: the command itself will say what."""

    @functools.wraps(offer)
    def offered(*arguments: P.args, **keywords: P.kwargs) -> list[str]:
        try:
            return list(offer(*arguments, **keywords))
        except Exception:  # noqa: BLE001
            return []

    return offered


@_quietly
def components(incomplete: str) -> Iterable[str]:
    """``sampler/langevin``; plural kinds are understood."""
    from ebmkit.registry.discovery import Registry
    from ebmkit.registry.kinds import KINDS

    registry = Registry.discover()
    typed, slash, _ = incomplete.partition("/")
    for kind in KINDS.values():
        spelling = typed if slash and typed in kind.aliases else kind.name
        for each in registry.components(kind.name):
            if f"{spelling}/{each.name}".startswith(incomplete):
                yield f"{spelling}/{each.name}"


@_quietly
def runs(incomplete: str) -> Iterable[str]:
    """The runs under ``runs/``."""
    from ebmkit.storage.folder import known_runs

    return sorted(run.name for run in known_runs() if run.name.startswith(incomplete))


@_quietly
def overrides(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """``revision.step_size=``, and behind the equals sign the choices there are."""
    import tomllib

    from ebmkit.config.keys import keys_of
    from ebmkit.config.text import decoded
    from ebmkit.registry.discovery import Registry
    from ebmkit.registry.kinds import KINDS

    registry, file = Registry.discover(), _file(ctx)
    keys = keys_of(tomllib.loads(decoded(file.read_bytes())), registry, folder=file.parent)
    name, equals, value = incomplete.partition("=")
    if not equals:
        return [f"{key}=" for key in keys if key.startswith(name)]
    hint = keys[name]
    choices = [each.name for each in registry.components(hint)] if hint in KINDS else _choices(hint)
    return [f"{name}={choice}" for choice in choices if choice.startswith(value)]


def _file(ctx: typer.Context) -> Path:
    """The run file that was typed before; of a run, the one it was started with."""
    from ebmkit.storage.folder import find_run

    named = ctx.params.get("file") or ctx.params.get("name") or _first_argument()
    return Path(named) if named and Path(named).is_file() else find_run(named).config


def _first_argument() -> str | None:
    """What stands behind the command: an option that waits for its value keeps click from parsing it."""
    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
    words = line.split()[2:]
    return next((word for word in words if not word.startswith("-") and "=" not in word), None)


def _choices(hint: Any) -> list[str]:
    if hint is bool:
        return ["true", "false"]
    return [str(choice) for choice in get_args(hint)] if get_origin(hint) is Literal else []
