"""The mends of fast paths, each taken out again: what the cases must see (``mutants.toml``)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

LAST_LOOK = "ends of chains are not compared"
"""The mutant without the look at a chain's end, which mends what all that comes before it lets through."""

FILE = Path(__file__).with_suffix(".toml")


class Patch(NamedTuple):
    """One place of the source, whose text is there once, and another text for it."""

    file: str
    old: str
    new: str


class Mutant(NamedTuple):
    """What is taken out; several places where one guards what another lets through.

    Attributes:
        seen_by: the name of a case that notices, the quickest of them.
    """

    name: str
    seen_by: str
    patches: list[Patch]

    def apply(self, root: Path) -> None:
        """Change the tree at ``root``.

        Raises:
            ValueError: a place is not there, or more than once.
        """
        for patch in self.patches:
            file = root / patch.file
            text = file.read_text()
            if text.count(patch.old) != 1:
                raise ValueError(f"{self.name}: {patch.file} has {text.count(patch.old)} times {patch.old!r}")
            file.write_text(text.replace(patch.old, patch.new))


def mutants() -> list[Mutant]:
    """All of them."""
    found = tomllib.loads(FILE.read_text())["mutant"]
    return [
        Mutant(each["name"], each["seen_by"], [Patch(**patch) for patch in each["patches"]]) for each in found
    ]
