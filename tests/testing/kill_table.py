"""Print which checks refuse which mutant: ``python -m tests.testing.kill_table``."""

from __future__ import annotations

import inspect
import sys

import torch

from ebmkit.testing import check
from tests.testing.mutants import MUTANTS


def _said(failures: list[str]) -> str:
    """The checks that failed; three laws or more by their number."""
    laws = [name for name in failures if name.startswith("law-")]
    few = [name for name in failures if name not in laws]
    few += laws if len(laws) < 3 else [f"{len(laws)} laws"]
    return ", ".join(f"`{name}`" if "laws" not in name else name for name in few)


def main() -> None:
    """A Markdown table; exit code 1 when a mutant survives."""
    torch.set_num_threads(1)
    survivors = []
    sys.stdout.write("| mutant | what is wrong | refused by |\n|---|---|---|\n")
    for name, mutant in MUTANTS.items():
        failures = [result.check for result in check(mutant.component, mutant.claims, quick=True).failures]
        survivors += [] if failures else [name]
        what = (inspect.getdoc(mutant.component) or "").partition("\n")[0].replace("|", "\\|")
        sys.stdout.write(f"| {name} | {what} | {_said(failures)} |\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{len(MUTANTS) - len(survivors)} of {len(MUTANTS)} refused {survivors}\n")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
