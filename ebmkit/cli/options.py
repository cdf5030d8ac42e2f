"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ebmkit.cli.tab import overrides, runs

if TYPE_CHECKING:
    from ebmkit.storage.best import Which

__all__ = [
    "INFERENCE_STEPS",
    "INFERENCE_STEP_SIZE",
    "Condition",
    "Data",
    "MaybeRunFile",
    "Output",
    "RunFile",
    "RunName",
    "RunNames",
    "Saved",
    "Sets",
    "Steps",
    "Unsets",
    "Weights",
    "split_component",
    "which",
]

INFERENCE_STEPS, INFERENCE_STEP_SIZE = 150, 0.05
"""Of the latents of pictures, where nothing else is said."""

_DIGITS = 18
"""Of an iteration: longer numbers are none."""

RunFile = Annotated[Path, typer.Argument(metavar="FILE", help="Run file (TOML).", show_default=False)]
MaybeRunFile = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="Run file (TOML).", show_default=False)
]
RunName = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        help="Run under runs/, or the path of one; by default the last one.",
        autocompletion=runs,
    ),
]
RunNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="Runs under runs/, or their paths; by default the last one.",
        autocompletion=runs,
        show_default=False,
    ),
]
Steps = Annotated[int | None, typer.Option(min=0, help="Steps of the revision; by default as in training.")]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="TABLE.KEY=VALUE",
        help="Override a key; may be repeated.",
        show_default=False,
        autocompletion=overrides,
    ),
]
Unsets = Annotated[
    list[str] | None,
    typer.Option(
        "--unset",
        metavar="TABLE[.KEY]",
        help="Leave out a table or a key of the file; may be repeated.",
        show_default=False,
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(help="Folder or zip of images; by default the run's own data.", show_default=False),
]
Output = Annotated[
    Path | None, typer.Option(help="Folder; by default inside the run folder.", show_default=False)
]

Saved = Annotated[
    str,
    typer.Option(
        "--checkpoint",
        metavar="N|best",
        help="Of iteration N, or the best by the run's evaluation; by default the newest.",
        show_default=False,
    ),
]
Weights = Annotated[
    Literal["averaged", "last"] | None,
    typer.Option(
        help="Averaged over the updates, or the last ones; by default averaged where there are some.",
        show_default=False,
    ),
]

Condition = Annotated[
    str | None,
    typer.Option(
        metavar="CLASS",
        help="Of one class of labelled data, by its name or number.",
        show_default=False,
    ),
]


def which(checkpoint: str) -> Which:
    """The checkpoint that the word behind ``--checkpoint`` means.

    Raises:
        ConfigError: it means none.
    """
    from ebmkit.errors import ConfigError
    from ebmkit.messages.quoting import quoted

    named: dict[str, Which] = {"newest": "newest", "best": "best"}
    if checkpoint in named:
        return named[checkpoint]
    if checkpoint.isdecimal() and checkpoint.isascii():
        return int(checkpoint[:_DIGITS])
    raise ConfigError(f"--checkpoint takes an iteration or best; got {quoted(checkpoint)}")


def split_component(component: str) -> tuple[str, str]:
    """Kind and name of ``sampler/langevin``; plural kinds will do, and so will a name that one part has."""
    from ebmkit.errors import ConfigError
    from ebmkit.messages.quoting import quoted
    from ebmkit.messages.spelling import did_you_mean
    from ebmkit.registry.discovery import Registry
    from ebmkit.registry.kinds import KINDS, kind_named

    kind, slash, name = component.partition("/")
    kind = named.name if (named := kind_named(kind)) is not None else kind
    if kind in KINDS and slash:
        return kind, name
    if kind in KINDS:
        names = sorted({f"{kind}/{each.name}" for each in Registry.discover().components(kind)})
        raise ConfigError(f"{component} is a kind of parts; there are {', '.join(names)}")
    kinds = [] if slash else _kinds_with(component)
    if len(kinds) == 1:
        return kinds[0], component
    hint = did_you_mean(kind, KINDS) if slash else _several(component, kinds)
    message = f"{quoted(component)} is not KIND/NAME; kinds are {', '.join(KINDS)}"
    raise ConfigError(message + (f"; {hint}" if hint else ""))


def _kinds_with(name: str) -> list[str]:
    """The kinds of which a part has this name."""
    from ebmkit.registry.discovery import Registry
    from ebmkit.registry.kinds import KINDS

    registry = Registry.discover()
    return [kind for kind in KINDS if any(each.name == name for each in registry.components(kind))]


def _several(name: str, kinds: list[str]) -> str:
    """``did you mean energy/x or generator/x?``, or nothing."""
    return f"did you mean {' or '.join(f'{kind}/{name}' for kind in kinds)}?" if kinds else ""
