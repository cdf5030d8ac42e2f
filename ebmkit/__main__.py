"""The ``ebmkit`` command, and ``python -m ebmkit``."""

from __future__ import annotations

import os
import sys

from ebmkit.messages.streams import standard_streams

__all__ = ["main"]


def main() -> None:
    """Run a command. One that catches no signals ends at Ctrl-C without a word, even while it is imported."""
    try:
        with standard_streams():
            _run()
    except KeyboardInterrupt:
        sys.exit(130)


def _run() -> None:
    """Run a command; one that fails for want of a newer dependency, typer among them, says so."""
    try:
        from ebmkit.cli import main as command

        command()
    except Exception:
        from ebmkit.requirements import too_old

        old = too_old()
        if not old or os.environ.get("EBMKIT_DEBUG"):
            raise
        print("\n".join(f"error: {line}" for line in old), file=sys.stderr)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()
