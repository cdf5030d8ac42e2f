"""``ebmkit plugins``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from ebmkit.cli.formulas import readable
from ebmkit.cli.options import split_component
from ebmkit.cli.output import Json, answering
from ebmkit.cli.plugins.check import check_plugin
from ebmkit.cli.plugins.new import new_plugin
from ebmkit.cli.tab import components

if TYPE_CHECKING:
    from rich.console import Console

    from ebmkit.config import Parameter
    from ebmkit.registry.discovery import Component
    from ebmkit.registry.kinds import Kind

__all__ = ["plugins"]

_WIDEST = 100
"""Columns of prose at the most."""

plugins = typer.Typer(help="List, show, check and begin parts.", no_args_is_help=True, rich_markup_mode=None)
plugins.command("check")(check_plugin)
plugins.command("new")(new_plugin)


@plugins.command("list")
def list_plugins(json: Json = False) -> None:
    """List every part by its distribution.

    Kind, name and what it is; then what is broken or switched off, with the reason.
    """
    with answering(as_json=json) as answer:
        from rich.console import Console

        from ebmkit.registry.discovery import Registry
        from ebmkit.registry.kinds import KINDS

        registry = Registry.discover()
        parts = [each for kind in KINDS for each in registry.components(kind)]
        console = Console()
        names = max((len(each.name) for each in parts), default=0)
        kinds = max(map(len, KINDS))
        for owner in dict.fromkeys(map(_owner, parts)):
            console.print(owner, style="bold", highlight=False)
            for each in parts:
                if _owner(each) == owner:
                    line = f"  {each.kind:<{kinds}}  {each.name:<{names}}  {_summary(each)}"
                    console.print(_cut(line, console), highlight=False, markup=False, soft_wrap=True)
        for broken in registry.broken:
            console.print(str(broken), style="red", highlight=False, markup=False)
        for plugin in registry.switched_off:
            console.print(f"{plugin} is switched off", style="yellow", highlight=False, markup=False)
        answer |= {
            "parts": [_record(each) for each in parts],
            "broken": [attrs.asdict(each) for each in registry.broken],
            "switched_off": [attrs.asdict(each) for each in registry.switched_off],
        }


def _owner(component: Component) -> str:
    return f"{component.distribution} {component.version}"


def _summary(component: Component) -> str:
    return component.doc.partition("\n")[0].replace("``", "")


def _cut(line: str, console: Console) -> str:
    """One line of the screen, as wide as it is; a pipe gets all of it."""
    too_long = console.is_terminal and len(line) > console.width
    return line[: console.width - 1] + "…" if too_long else line


def _record(component: Component) -> dict[str, object]:
    return {
        "kind": component.kind,
        "name": component.name,
        "summary": _summary(component),
        "class": component.place,
        **{
            "plugin" if key == "name" else key: value for key, value in attrs.asdict(component.plugin).items()
        },
    }


@plugins.command("show")
def show(
    component: Annotated[
        str,
        typer.Argument(
            metavar="KIND/NAME",
            help="Such as sampler/langevin; a unique name will do.",
            autocompletion=components,
        ),
    ],
) -> None:
    """Show one part and its parameters.

    Documentation, types, ranges and defaults.
    """
    from ebmkit.registry.discovery import Registry
    from ebmkit.registry.kinds import KINDS
    from ebmkit.registry.trust import trusting

    kind, name = split_component(component)
    with trusting():  # the user names it
        found = Registry.discover().find(kind, name)
    signature = found.signature
    print(_heading(found))
    print("\n" + _description(found) + "\n")
    if signature.parts:
        slots = ", ".join(
            slot.name if slot.required else f"{slot.name} (optional)" for slot in signature.parts
        )
        print(f"parts: {slots}\n")
    print("parameters:" if signature.parameters else "no parameters")
    for parameter in signature.parameters:
        print(_parameter_lines(parameter))
    _show_shared(KINDS[kind])


def _show_shared(kind: Kind) -> None:
    """The keys that ebmkit reads in every table of a kind."""
    from ebmkit.config import signature_of
    from ebmkit.config.slots import LEARNING
    from ebmkit.registry.discovery import imported

    shared = signature_of(imported(kind.shared)).parameters if kind.shared is not None else ()
    inner = LEARNING if kind.learns else {}
    if shared or inner:
        print(f"\nkeys of every {kind.name}:")
    for parameter in shared:
        print(_parameter_lines(parameter))
    for name, table in inner.items():
        text = f'a table; default {{ use = "{table.use}" }}; ebmkit plugins show {table.kind}/{table.use}'
        print(f"  {name}: {text}")


def _heading(component: Component) -> str:
    return f"{component.kind}/{component.name}\n{_owner(component)}, {component.place}"


def _description(component: Component) -> str:
    """The docstring without the sections that are shown in another way, as wide as the terminal."""
    text = readable((component.doc or "no documentation").partition("\nArgs:")[0].rstrip())
    return "\n\n".join(map(_filled, text.split("\n\n")))


def _filled(paragraph: str) -> str:
    """Prose broken anew; what is indented or listed stays as it is."""
    kept = paragraph.startswith((" ", "- ")) or "\n " in paragraph
    return paragraph if kept else _fill(paragraph)


def _fill(text: str, *, indent: str = "") -> str:
    import shutil
    import textwrap

    width = min(shutil.get_terminal_size().columns, _WIDEST)
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _parameter_lines(parameter: Parameter, indent: str = "  ", above: tuple[str, ...] = ()) -> str:
    """A parameter with its documentation, and under it the keys of one that is a table."""
    from ebmkit.config import REQUIRED, as_toml, describe
    from ebmkit.config.records import fields_of, record_in

    default = "required" if parameter.default is REQUIRED else f"default {as_toml(parameter.default)}"
    lines = [f"{indent}{parameter.name}: {describe(parameter.hint)}; {default}"]
    if parameter.doc:
        lines.append(_fill(readable(parameter.doc), indent=f"{indent}    "))
    record = record_in(parameter.hint)
    if record is not None and describe(parameter.hint) not in above:
        fields, told = fields_of(record).values(), above
        for each in fields:
            lines.append(_parameter_lines(each, f"{indent}    ", told))
            told = (*told, describe(each.hint))  # the keys of a second table of the same kind are known
    return "\n".join(lines)
