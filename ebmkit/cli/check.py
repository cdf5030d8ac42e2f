"""``ebmkit check``."""

from __future__ import annotations

import typer

from ebmkit.cli.options import RunFile, Sets

__all__ = ["check"]


def check(file: RunFile, set_: Sets = None) -> None:
    """Check a run file completely, without training."""
    from ebmkit.build import build_experiment
    from ebmkit.config import read_document
    from ebmkit.plan import make_plan
    from ebmkit.registry import Registry
    from ebmkit.runner import describe

    plan = make_plan(read_document(file, set_ or ()), Registry.discover())
    experiment = build_experiment(plan)
    typer.echo(f"{file} is valid: {plan.run.iterations} iterations")
    for line in describe(plan, experiment):
        typer.echo(line)
