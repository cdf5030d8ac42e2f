"""``ebmkit check``."""

from __future__ import annotations

import typer

from ebmkit.cli.options import RunFile, Sets
from ebmkit.cli.output import Json, answering

__all__ = ["check"]


def check(file: RunFile, set_: Sets = None, json: Json = False) -> None:
    """Check a run file completely, without training."""
    with answering(as_json=json) as answer:
        from ebmkit.config import read_document
        from ebmkit.plan import make_plan
        from ebmkit.registry import Registry

        answer |= {"file": str(file), "errors": []}
        plan = make_plan(read_document(file, set_ or ()), Registry.discover())
        # What is wrong with the file is told before torch is imported.
        from ebmkit.build import build_experiment
        from ebmkit.inspection import Inspector
        from ebmkit.runner import describe

        experiment = build_experiment(plan)
        Inspector(plan, experiment).examine(0)
        answer |= {"config": plan.tables()}
        typer.echo(f"{file} is valid: {plan.run.iterations} iterations")
        for line in describe(plan, experiment):
            typer.echo(line)
