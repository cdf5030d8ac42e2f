"""``ebmkit diagnose``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ebmkit.cli.options import Condition, RunName, Saved, Weights, which

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ebmkit.applications.diagnosis import Diagnosis
    from ebmkit.core import CooperativeScheduler, Sampler
    from ebmkit.storage.folder import RunFolder

__all__ = ["diagnose"]

_CURVE = 72


def diagnose(
    name: RunName = None,
    *,
    checkpoint: Saved = "newest",
    weights: Weights = None,
    condition: Condition = None,
    chains: Annotated[int, typer.Option(min=2, help="How many chains.")] = 16,
    steps: Annotated[int, typer.Option(min=8, help="Steps of each, after the warm-up.")] = 400,
    warmup: Annotated[int, typer.Option(min=0, help="Steps of each that are thrown away.")] = 200,
    thin: Annotated[int, typer.Option(min=1, help="Steps between draws.")] = 1,
    sampler: Annotated[
        str | None, typer.Option(help="Another sampler; by default the run's own.", show_default=False)
    ] = None,
    step_size: Annotated[float | None, typer.Option(help="Another step size.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="Of the starts and the noise.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run long chains under a trained energy: have they mixed?

    Shows R-hat, effective sample sizes, the sampler's figures, the curve of the energy, and advice, and keeps
    them in the run folder for the report.
    """
    import attrs
    import torch

    from ebmkit.applications.conditions import of_class
    from ebmkit.applications.diagnosis import diagnose as run_diagnosis
    from ebmkit.applications.sampling import load_schedule
    from ebmkit.core import Rng
    from ebmkit.errors import ConfigError
    from ebmkit.run.weights import described
    from ebmkit.storage.folder import find_run
    from ebmkit.storage.plain import as_json as text_of

    folder = find_run(name)
    schedule, trained = load_schedule(folder, which=which(checkpoint), weights=weights)
    classes = trained.trained_on.classes
    energy = of_class(schedule, classes, condition, of=folder.name).energy
    if energy is None:
        raise ConfigError(f"run {folder.name} has no energy to move chains under")
    kernel = _sampler(schedule, sampler, step_size)
    rng = Rng(seed).fold_in("diagnose")
    with torch.no_grad():
        starting = _given(schedule, classes, condition, chains, of=folder.name)
        start = starting.propose(chains, rng=rng.fold_in("start")).x
    with _named(folder, sampler):
        found = run_diagnosis(energy, kernel, start, warmup=warmup, steps=steps, thin=thin, rng=rng)
    record = {"iteration": trained.iteration, "sampler": str(kernel), **attrs.asdict(found)}
    _store(folder, record)
    if as_json:
        print(text_of(record))
    else:
        _show(found, f"{folder.name} after {described(trained, weights)}, {kernel}")


def _sampler(schedule: CooperativeScheduler, name: str | None, step_size: float | None) -> Sampler:
    """The run's own sampler or a named one, with the step size asked for."""
    from functools import partial

    import attrs

    from ebmkit.errors import ConfigError
    from ebmkit.registry.discovery import Registry

    change = {} if step_size is None else {"step_size": step_size}
    make: Callable[..., Sampler]
    if name is not None:
        make = Registry.discover().find("sampler", name).factory
    elif schedule.revision is not None:
        make = partial(attrs.evolve, schedule.revision.sampler)
    else:
        raise ConfigError("the run has no sampler of its own: name one with --sampler")
    try:
        return make(**change)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the sampler refuses these settings: {error}") from None


@contextmanager
def _named(folder: RunFolder, sampler: str | None) -> Iterator[None]:
    """Report what a part raises in this block with its name and its line.

    Raises:
        PluginError: it raised.
    """
    from ebmkit.errors import EbmkitError, PluginError
    from ebmkit.registry.discovery import Registry
    from ebmkit.run.inspection import where
    from ebmkit.run.trained import open_trained

    try:
        yield
    except EbmkitError:
        raise
    except Exception as error:
        components = [*open_trained(folder)[0].components()]
        components += [Registry.discover().find("sampler", sampler)] if sampler else []
        if not (place := where(error, components)):
            raise
        message = f"the chains ended{place}: {type(error).__name__}: {error}"
        raise PluginError(f"{message}\nEBMKIT_DEBUG=1 shows the traceback") from error


def _store(folder: RunFolder, record: dict[str, Any]) -> None:
    """Keep the diagnosis for the report, where the run folder can be written."""
    import sys

    from ebmkit.storage.durable import replace_file
    from ebmkit.storage.plain import as_json

    try:
        replace_file(folder.diagnosis, (as_json(record) + "\n").encode())
    except OSError as error:
        print(f"warning: {folder.diagnosis} is not written: {error.strerror}", file=sys.stderr)


def _given(
    schedule: CooperativeScheduler, classes: Sequence[str], word: str | None, count: int, *, of: str
) -> CooperativeScheduler:
    """The schedule that proposes where the chains start: of one class, or of all in turn."""
    from ebmkit.applications.conditions import of_class
    from ebmkit.core import classes_in_turn, takes_conditions

    if word is not None:
        return of_class(schedule, classes, word, of=of)
    among = len(classes) if takes_conditions(schedule) else 0
    return schedule.given(classes_in_turn(among, first=0, count=count))


def _show(found: Diagnosis, heading: str) -> None:
    """A table of figures, the sampler's own, the energy's curve, and advice."""
    from rich.console import Console
    from rich.table import Table

    from ebmkit.report.sparkline import sparkline

    console = Console()
    thinned = f", every {found.thin} steps one" if found.thin > 1 else ""
    console.print(heading, highlight=False, markup=False)
    print(f"{found.chains} chains of {found.draws} draws{thinned}, after {found.warmup} steps\n")
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for column in ("mean", "sd", "R-hat", "ESS bulk", "ESS tail"):
        table.add_column(column, justify="right")
    for each in found.figures:
        sizes = (f"{each.bulk_ess:.0f}", f"{each.tail_ess:.0f}")
        table.add_row(each.name, f"{each.mean:.5g}", f"{each.std:.3g}", f"{each.r_hat:.3f}", *sizes)
    console.print(table, highlight=False)
    watched = {**found.stats, **({} if found.residual is None else {"auto-encoder residual": found.residual})}
    console.print("\n" + "  ".join(f"{name} {value:.3g}" for name, value in watched.items()), highlight=False)
    if found.energy_trace:
        first, *_, last = found.energy_trace
        console.print(f"\nenergy from step 1 of the warm-up: {first:.6g} to {last:.6g} nats", highlight=False)
        console.print(sparkline(found.energy_trace, width=_CURVE), highlight=False)
    console.print()
    advice = Table.grid(padding=(0, 1))
    for sentence in found.advice or (
        "no sign of trouble: R-hat, effective sizes and energy are as they should be",
    ):
        advice.add_row("-", sentence)
    console.print(advice, highlight=False)
