"""Print which checks refuse which wrong part: ``python -m tests.testing.kill_table [parts]``.

Of the samplers without an argument, of the newer kinds with ``parts``.
"""

from __future__ import annotations

import inspect
import sys

import torch

from ebmkit.testing import check
from ebmkit.testing.claims import Claims
from tests.testing.mutants import MUTANTS
from tests.testing.wrong import WRONG, backends, encoders, features, metrics, optimizers, trackers

KINDS = (encoders, optimizers, backends, metrics, features, trackers)
"""The modules that fill ``WRONG``."""


def row_of(name: str, component: type, claims: Claims) -> tuple[str, bool]:
    """A row of the table, and whether the part is refused."""
    with torch.random.fork_rng():
        torch.manual_seed(0)  # what a part draws from the global generator may repeat itself by chance
        failures = [result.check for result in check(component, claims, quick=True).failures]
    what = (inspect.getdoc(component) or "").partition("\n")[0].replace("|", "\\|")
    return f"| {name} | {what} | {_said(failures)} |", bool(failures)


def _said(failures: list[str]) -> str:
    """The checks that failed; three laws or more by their number."""
    laws = [name for name in failures if name.startswith("law-")]
    few = [name for name in failures if name not in laws]
    few += laws if len(laws) < 3 else [f"{len(laws)} laws"]
    return ", ".join(f"`{name}`" if "laws" not in name else name for name in few)


def main(*asked: str) -> None:
    """A Markdown table; exit code 1 when a wrong part survives."""
    torch.set_num_threads(1)
    survivors = []
    table = WRONG if "parts" in asked else MUTANTS
    sys.stdout.write(
        f"| {'part' if table is WRONG else 'mutant'} | what is wrong | refused by |\n|---|---|---|\n"
    )
    for name, wrong in table.items():
        row, refused = row_of(name, wrong.component, wrong.claims)
        survivors += [] if refused else [name]
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{len(table) - len(survivors)} of {len(table)} refused {survivors}\n")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main(*sys.argv[1:])
