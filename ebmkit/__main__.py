"""``python -m ebmkit``: the same program as the ``ebmkit`` command."""

from ebmkit.cli import main

if __name__ == "__main__":
    main()
