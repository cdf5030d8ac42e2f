"""``ebmkit explain``."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["explain"]


def _codes(start: str) -> list[str]:
    from ebmkit.config.pages import pages

    return [code for code in pages() if code.startswith(start)]


def explain(
    code: Annotated[
        str | None,
        typer.Argument(metavar="CODE", help="Such as E103; without it, all.", autocompletion=_codes),
    ] = None,
) -> None:
    """Explain a code of an error message.

    What it means, an example, and the fix; without a code, a list of them.
    """
    from ebmkit.config.pages import pages

    if code is not None:
        print(_page(code))
        return
    for page in pages().values():
        print(page.partition("\n")[0].removeprefix("# "))
    print("\nebmkit explain CODE shows one of them with an example.")


def _page(code: str) -> str:
    """The page without its Markdown, which is for the documentation."""
    from ebmkit.config.pages import pages
    from ebmkit.errors import ConfigError
    from ebmkit.messages.quoting import quoted
    from ebmkit.messages.spelling import did_you_mean

    page = pages().get(code.upper())
    if page is None:
        hint = did_you_mean(code.upper(), pages())
        known = f"codes are {next(iter(pages()))} to {list(pages())[-1]}"
        raise ConfigError(f"no error has the code {quoted(code)}: {known}" + (f"; {hint}" if hint else ""))
    lines, code_block = [], False
    for line in page.strip().splitlines():
        if line.startswith("```"):
            code_block = not code_block
        else:
            lines.append(f"    {line}".rstrip() if code_block else line.removeprefix("# "))
    return "\n".join(lines)
