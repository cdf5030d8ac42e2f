"""One generated case alone: ``python -m tests.hostile.replay SEED [--small]``; its text, and what differs."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.hostile.driver import Case, compared
from tests.hostile.generate import case
from tests.hostile.named import named


def main(name: str, *options: str) -> int:
    """0 where ebmkit gives what torch gives."""
    by_name: dict[str, Case] = {each.name: each for each in named()}
    chosen = by_name[name] if name in by_name else case(int(name), small="--small" in options)
    with tempfile.TemporaryDirectory() as folder:
        (verdict,) = compared([chosen], Path(folder))
    sys.stdout.write("\n".join([chosen.source, *(verdict.differences or ["no difference"]), ""]))
    return bool(verdict.differences)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
