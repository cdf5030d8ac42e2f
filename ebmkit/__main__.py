"""The ``ebmkit`` command, and ``python -m ebmkit``."""

from __future__ import annotations

import sys

from ebmkit.streams import standard_streams

__all__ = ["main"]


def main() -> None:
    """Run a command. One that catches no signals ends at Ctrl-C without a word, even while it is imported."""
    try:
        with standard_streams():
            from ebmkit.cli import main as command

            command()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
