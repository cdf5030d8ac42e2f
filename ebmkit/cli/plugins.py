"""``ebmkit plugins``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated

import typer

from ebmkit.cli.options import split_component
from ebmkit.cli.plugins_check import check_plugin

if TYPE_CHECKING:
    from ebmkit.config import Parameter
    from ebmkit.registry import Component

__all__ = ["plugins"]

plugins = typer.Typer(help="The parts that are installed.", no_args_is_help=True, rich_markup_mode=None)
plugins.command("check")(check_plugin)


@plugins.command("list")
def list_plugins() -> None:
    """List every part: its kind, its name, and the distribution that provides it."""
    from rich.console import Console
    from rich.table import Table

    from ebmkit.registry import KINDS, Registry

    registry = Registry.discover()
    table = Table("kind", "name", "what it is", "distribution", box=None, pad_edge=False)
    for kind in KINDS:
        for each in registry.components(kind):
            summary = (inspect.getdoc(each.factory) or "").partition("\n")[0]
            table.add_row(kind, each.name, summary, f"{each.distribution} {each.version}")
    console = Console()
    console.print(table, highlight=False)
    for broken in registry.broken:
        console.print(str(broken), style="red", highlight=False, markup=False)


@plugins.command("show")
def show(
    component: Annotated[str, typer.Argument(metavar="KIND/NAME", help="Such as sampler/langevin.")],
) -> None:
    """Show one part: its documentation, its parameters with types, ranges and defaults."""
    from ebmkit.config import signature_of
    from ebmkit.registry import Registry

    kind, name = split_component(component)
    found = Registry.discover().find(kind, name)
    signature = signature_of(found.factory)
    typer.echo(_heading(found))
    typer.echo("\n" + _description(found) + "\n")
    if signature.parts:
        slots = ", ".join(
            slot.name if slot.required else f"{slot.name} (optional)" for slot in signature.parts
        )
        typer.echo(f"parts: {slots}\n")
    typer.echo("parameters:" if signature.parameters else "no parameters")
    for parameter in signature.parameters:
        typer.echo(_parameter_lines(parameter))


def _heading(component: Component) -> str:
    return (
        f"{component.kind}/{component.name}  ({component.distribution} {component.version}, "
        f"{component.factory.__module__}.{component.factory.__name__})"
    )


def _description(component: Component) -> str:
    """The docstring without the sections that are shown in another way."""
    return (inspect.getdoc(component.factory) or "no documentation").partition("\nArgs:")[0].rstrip()


def _parameter_lines(parameter: Parameter) -> str:
    from ebmkit.config import REQUIRED, describe

    default = "required" if parameter.default is REQUIRED else f"default {parameter.default!r}"
    lines = f"  {parameter.name}: {describe(parameter.hint)}; {default}"
    return f"{lines}\n      {parameter.doc}" if parameter.doc else lines
