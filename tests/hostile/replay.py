"""One case alone, its text and what differs: ``python -m tests.hostile.replay seed_7_small``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.hostile.driver import Case, compared
from tests.hostile.generate import case
from tests.hostile.named import named

__all__ = ["called"]


def main(name: str) -> int:
    """0 where ebmkit gives what torch gives."""
    chosen = called(name)
    with tempfile.TemporaryDirectory() as folder:
        (verdict,) = compared([chosen], Path(folder))
    sys.stdout.write("\n".join([chosen.source, *(verdict.differences or ["no difference"]), ""]))
    return bool(verdict.differences)


def called(name: str) -> Case:
    """The case of a name: of ``named``, or ``seed_7`` and ``seed_7_small`` of the generated ones."""
    by_name = {each.name: each for each in named()}
    seed = name.removeprefix("seed_").removesuffix("_small")
    return by_name[name] if name in by_name else case(int(seed), small=name.endswith("_small"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
