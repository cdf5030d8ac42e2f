"""The run files that come with ebmkit, for ``ebmkit new`` to write beside the user."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import final

import attrs

from ebmkit.errors import ConfigError
from ebmkit.messages.quoting import quoted
from ebmkit.messages.spelling import did_you_mean

__all__ = ["RunFile", "run_file", "run_files"]


@final
@attrs.frozen
class RunFile:
    """A run file that comes with ebmkit.

    Attributes:
        name: as ``ebmkit new`` calls it.
        path: where it is installed.
    """

    name: str
    path: Path

    @property
    def title(self) -> str:
        """What its first comment says."""
        comment = re.match(r"(?:#.*\n)+", self.path.read_text())
        words = " ".join(re.sub(r"^#", "", comment[0], flags=re.MULTILINE).split()) if comment else ""
        return re.split(r"(?<=[^A-Z])[.:] ", words, maxsplit=1)[0]

    @property
    def text(self) -> str:
        """Its text, as it stands once it is a file of the user's own folder."""
        return re.sub(r"examples/(?:paper/)?(?=\w+\.toml)", "", self.path.read_text())


def run_files() -> Mapping[str, RunFile]:
    """Each run file by its name."""
    folder = _folder()
    paths = sorted(folder.glob("*.toml")) + sorted((folder / "paper").glob("*.toml"))
    files = (RunFile(path.stem.replace("_", "-"), path) for path in paths)
    return {file.name: file for file in files}


def run_file(name: str) -> RunFile:
    """The run file of that name, or the only one whose name begins so.

    Raises:
        ConfigError: none, or several.
    """
    files = run_files()
    wanted = name.replace("_", "-").removesuffix(".toml")
    begun = [each for each in files if each.startswith(wanted)]
    if wanted in files or len(begun) == 1:
        return files[wanted if wanted in files else begun[0]]
    hint = f"there are {', '.join(begun)}" if begun else did_you_mean(wanted, files)
    message = f"no run file comes with ebmkit that is named {quoted(name)}"
    raise ConfigError("; ".join(filter(None, (message, hint, "ebmkit new --list shows them"))))


def _folder() -> Path:
    """In an installed package they lie in it; in the source tree beside it."""
    package = Path(__file__).parents[1]
    inside = package / "examples"
    return inside if inside.is_dir() else package.parent / "examples"
