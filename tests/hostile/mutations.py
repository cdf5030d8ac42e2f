"""Whether the cases see what they are for: ``python -m tests.hostile.mutations [WORD ...]`` prints a table.

Each mutant is a copy of the tree in which a mend is taken out. The subject runs the cases there; the
reference is what it always is. A mutant of which no case differs survives, and a case is missing. The look at
the end of a chain, which would mend most of what the others do, is out in all copies. Words pick mutants.
A slow test runs, for each mutant, the quickest case that notices (``seen_by`` in ``mutants.toml``).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.hostile.driver import ROOT, Case, compared
from tests.hostile.generate import case
from tests.hostile.mutants import LAST_LOOK, Mutant, mutants
from tests.hostile.named import named

_SEEDS = range(200)
"""Generated cases that are tried where no case written by hand differs."""


def main(*words: str) -> int:
    """The number of mutants that survive."""
    chosen = [each for each in mutants() if not words or any(word in each.name for word in words)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        answers = Path(folder)
        whole = intact(named(), answers)
        ends = noticing(last_look(), whole, answers)
        cases = [each for each in whole if each.name not in ends]
        _say("| taken out | seen by |", "| --- | --- |")
        survivors = 0
        for mutant, names in zip(
            chosen,
            pool.map(lambda each: caught(each, whole if each.name == LAST_LOOK else cases, answers), chosen),
            strict=True,
        ):
            _say(f"| {mutant.name} | {', '.join(names) or '**nothing**'} |")
            survivors += not names
    return survivors


def last_look() -> Mutant:
    """The mutant whose patch is in the copies of all others, too."""
    return next(each for each in mutants() if each.name == LAST_LOOK)


def intact(cases: list[Case], answers: Path) -> list[Case]:
    """Those in which the tree as it is differs from the reference in nothing.

    Args:
        cases: to run.
        answers: a folder that keeps what the reference gave.
    """
    return [each.case for each in compared(cases, answers, keep=True) if not each.differences]


def caught(mutant: Mutant, cases: list[Case], answers: Path) -> list[str]:
    """The names of the cases that notice; generated ones where no other does."""
    found = noticing(mutant, cases, answers)
    return found or noticing(mutant, [case(seed, small=True) for seed in _SEEDS], answers)


def noticing(mutant: Mutant, cases: list[Case], answers: Path) -> list[str]:
    """The names of the cases that differ in a copy of the tree without that mend.

    Args:
        mutant: which.
        cases: to run.
        answers: a folder with those of the reference, as far as it has them.
    """
    with _copy(mutant) as root, tempfile.TemporaryDirectory() as folder:
        mine = Path(folder)
        for each in answers.glob("*.plain"):
            (mine / each.name).symlink_to(each)
        return [each.case.name for each in compared(cases, mine, root=root, keep=True) if each.differences]


@contextmanager
def _copy(mutant: Mutant) -> Iterator[Path]:
    """The tree with the patches of a mutant, and without the look at the end of a chain."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("ebmkit", "plugins", "tests/hostile"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        (root / "tests/__init__.py").touch()
        mutant.apply(root)
        if mutant.name != LAST_LOOK:
            last_look().apply(root)
        yield root


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:]), 100))
