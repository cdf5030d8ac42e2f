"""``ebmkit plugins check``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from ebmkit.cli.options import split_component
from ebmkit.cli.tab import components

if TYPE_CHECKING:
    from ebmkit.testing import Claims, Report, Result

__all__ = ["check_plugin"]

_MARKS = {
    "passed": "[green]ok[/]",
    "failed": "[red]FAILED[/]",
    "skipped": "[dim]skipped[/]",
    "expected failure": "[yellow]expected[/]",
    "unexpected pass": "[red]FAILED[/]",
}


def check_plugin(
    component: Annotated[
        str,
        typer.Argument(
            metavar="KIND/NAME",
            help="Such as samplers/langevin, or path/to/file.py, or path/to/file.py:Class.",
            autocompletion=components,
        ),
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter to check it with.", show_default=False),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer chains: seconds, sees less.")] = False,
    seed: Annotated[int, typer.Option(help="Of the statistics.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Check a part against the rules of its kind.

    Behaviour and statistics; ends with exit code 4 when it breaks one.
    """
    import json as encoder

    from rich.console import Console

    from ebmkit.errors import PluginError
    from ebmkit.testing import check
    from ebmkit.testing.runner import claims_of

    found = _find(component)
    claims = claims_of(found)
    claims = attrs.evolve(claims, settings={**claims.settings, **_settings(component, found, set_ or [])})
    _refuse_missing(component, found, claims)
    with Console(stderr=True).status("checking") as status:
        report = check(
            found,
            claims,
            quick=quick,
            seed=seed,
            progress=lambda result: status.update(f"{result.check} {result.outcome}"),
        )
    if json:
        print(encoder.dumps(_record(component, report), indent=1))
    else:
        _show(component, report)
    raise typer.Exit(0 if report.passed else PluginError.exit_code)


def _find(component: str) -> Callable[..., Any]:
    from ebmkit.registry.discovery import Registry
    from ebmkit.registry.kinds import KINDS
    from ebmkit.registry.trust import trusting
    from ebmkit.testing.locate import load_class

    if "/" in component and (component.partition("/")[0] in KINDS and ":" in component):
        with trusting():  # the user names it
            return Registry.discover().find(*split_component(component)).factory
    if component.endswith(".py") or ".py:" in component:
        return load_class(component)
    return Registry.discover().find(*split_component(component)).factory


def _refuse_missing(component: str, found: Callable[..., Any], claims: Claims) -> None:
    from ebmkit.config import REQUIRED, signature_of
    from ebmkit.errors import ConfigError
    from ebmkit.testing.subject import Subject

    required = (each.name for each in signature_of(found).parameters if each.default is REQUIRED)
    with Subject(found, claims).furnished() as furnished:
        missing = [name for name in required if name not in furnished.claims.settings]
    if missing:
        say = " ".join(f"--set {name}=..." for name in missing)
        raise ConfigError(f"{component} cannot be built without {', '.join(missing)}: say {say}")


def _settings(component: str, found: Callable[..., Any], texts: list[str]) -> dict[str, Any]:
    """What ``--set`` says, against the parameters of the part."""
    from ebmkit.config import signature_of
    from ebmkit.config.convert import ConversionError, OutOfRangeError, convert_text
    from ebmkit.errors import ConfigError
    from ebmkit.messages.quoting import quoted, shortened
    from ebmkit.messages.spelling import did_you_mean

    hints = {each.name: each.hint for each in signature_of(found).parameters}
    settings = {}
    for text in texts:
        key, value = _setting(text)
        shown = shortened(text)
        if key not in hints:
            said = did_you_mean(key, hints) or f"it has {', '.join(hints) or 'none'}"
            raise ConfigError(f"--set {shown}: {component} has no parameter {quoted(key)}; {said}")
        try:
            settings[key] = convert_text(value, hints[key])
        except (ConversionError, OutOfRangeError) as error:
            raise ConfigError(f"--set {shown}: {key!r} {error}") from None
    return settings


def _setting(text: str) -> tuple[str, str]:
    """Key and value of ``KEY=VALUE``, as in ``--set`` of run files."""
    from ebmkit.errors import ConfigError
    from ebmkit.messages.quoting import shortened

    key, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--set {shortened(text)}: write --set key=value")
    if not value.strip():
        raise ConfigError(f"--set {shortened(text)} gives no value: is a shell variable not set?")
    return key, value.strip()


def _record(component: str, report: Report) -> dict[str, Any]:
    return {
        "component": component,
        "kind": report.kind,
        "seed": report.seed,
        "passed": report.passed,
        "checks": [
            {
                "check": result.check,
                "outcome": str(result.outcome),
                "detail": result.detail,
                "seconds": round(result.seconds, 3),
            }
            for result in report.results
        ],
    }


def _show(component: str, report: Report) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("check", "", box=None, pad_edge=False)
    table.add_column("what was seen", overflow="fold")  # a path is worth nothing when it is cut
    table.add_column("s", justify="right")
    for result, said in report.told():
        table.add_row(result.check, _MARKS[result.outcome], Text(said), f"{result.seconds:.1f}")
    console = Console()
    console.print(table, highlight=False)
    console.print(f"\n{component} {_verdict(report)}", highlight=False, markup=False, soft_wrap=True)
    if report.advice:
        console.print(report.advice, highlight=False, markup=False)


def _verdict(report: Report) -> str:
    ran = sum(map(_ran, report.results))
    count = f"passes {ran} checks" if report.passed else f"fails {len(report.failures)} of {ran} checks"
    return f"{count}{_odds(report)}"


def _odds(report: Report) -> str:
    from ebmkit.testing.battery import FALSE_ALARM

    if report.kind != "sampler":
        return ""
    if any(result.check == "law-gaussian" and _ran(result) for result in report.results):
        return f"; a right one fails for at most one seed in {1 / FALSE_ALARM:,.0f}"
    if any(result.last for result in report.results):
        return ""
    return "; it claims no law, so that its statistics were not checked"


def _ran(result: Result) -> bool:
    return result.outcome != "skipped"
