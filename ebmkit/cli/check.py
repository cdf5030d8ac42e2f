"""``ebmkit check``."""

from __future__ import annotations

from ebmkit.cli.options import RunFile, Sets, Unsets
from ebmkit.cli.output import Json, answering

__all__ = ["check"]


def check(file: RunFile, set_: Sets = None, unset: Unsets = None, json: Json = False) -> None:
    """Check a run file completely, without training."""
    with answering(as_json=json) as answer:
        from rich.console import Console

        from ebmkit.config import read_document
        from ebmkit.config.plan import make_plan
        from ebmkit.registry.discovery import Registry
        from ebmkit.registry.trust import trusting

        answer |= {"file": str(file), "errors": []}
        with trusting():  # it is the user's own file
            plan = make_plan(read_document(file, set_ or (), unset or ()), Registry.discover())
        # Problems in the file are reported before torch is imported.
        from ebmkit.report import say, say_facts, warn
        from ebmkit.run.build import build_experiment
        from ebmkit.run.cautions import cautions
        from ebmkit.run.description import describe
        from ebmkit.run.inspection import Inspector

        experiment = build_experiment(plan)
        Inspector(plan, experiment).examine(0)
        warnings = list(cautions(plan, experiment))
        answer |= {"config": plan.tables(), "warnings": warnings}
        console = Console()
        say(console, f"{file} is valid: {plan.run.iterations} iterations")
        say_facts(console, describe(plan, experiment))
        for warning in warnings:
            warn(console, f"warning: {warning}")
