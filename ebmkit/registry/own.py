"""Parts of one's own without a package: ``use = "my_parts.py:MyEnergy"`` or ``"package.module:MyEnergy"``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Collection
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, final

import attrs

from ebmkit.messages.quoting import quoted
from ebmkit.registry.trust import is_known, is_trusting, may_change

__all__ = ["OwnCode", "OwnCodeError", "own_code"]

_LARGEST = 16 << 20


class OwnCodeError(Exception):
    """Code is not loaded: it is not there, not the user's, or not what it was."""


@final
@attrs.frozen
class OwnCode:
    """Code that a run file names, read and not yet loaded.

    Attributes:
        name: of the class.
        origin: the file.
        sha256: of its bytes; of a module, of those of the packages around it too.
        module: its name, where it is a module that Python finds; None for a file.
    """

    name: str
    origin: Path
    sha256: str
    module: str | None
    _source: bytes = attrs.field(repr=False)

    @property
    def pinned(self) -> str:
        """What ``use`` of the resolved run file says: where it stands, and which bytes it was."""
        return f"{self.module or self.origin}:{self.name}#{self.sha256}"

    def load(self) -> Any:
        """What the name means, of exactly the bytes that were looked at.

        Raises:
            OwnCodeError: nothing is called so there.
            Exception: whatever the code raises.
        """
        module = importlib.import_module(self.module) if self.module else self._executed()
        if not hasattr(module, self.name):
            raise OwnCodeError(f"nothing is called {self.name} in {self.origin}")
        return getattr(module, self.name)

    def _executed(self) -> ModuleType:
        """The file as a module, executed once."""
        name = f"ebmkit_own_{self.sha256[:16]}"
        if name not in sys.modules:
            module = ModuleType(name)
            module.__file__ = str(self.origin)
            sys.modules[name] = module
            try:
                exec(compile(self._source, str(self.origin), "exec"), vars(module))  # noqa: S102 - it is the user's
            except BaseException:
                del sys.modules[name]
                raise
        return sys.modules[name]


def own_code(use: str, folder: Path, distributions: Collection[str]) -> OwnCode | None:
    """The code that ``use`` names; None where it names an installed part.

    Args:
        use: ``FILE.py:Class`` or ``package.module:Class``, pinned or not.
        folder: of the run file, to which paths are relative.
        distributions: that ``use = "distribution:name"`` may mean.

    Raises:
        OwnCodeError: there is no such file, the code is not what it was pinned to, or it is not trusted.
    """
    reference, _, pin = use.partition("#")
    where, _, name = reference.rpartition(":")
    if not where or not name.isidentifier() or where in distributions:
        return None
    code = _in_file(where, name, folder) if where.endswith(".py") else _in_module(where, name)
    if code is not None:
        _refuse(code, pin)
    return code


def _refuse(code: OwnCode, pin: str) -> None:
    """Refuse code that changed or is not trusted.

    Raises:
        OwnCodeError: saying which, and what to do.
    """
    changed = bool(pin) and pin != code.sha256
    if changed and not may_change():
        raise OwnCodeError(
            f"{code.origin} is not what this run was trained with: its SHA-256 was {pin[:12]}…, it is "
            f"{code.sha256[:12]}…; put it back, or train on all the same: ebmkit resume NAME "
            "--allow-change TABLE.use"
        )
    of_the_user = is_known(code.sha256) or (changed and is_known(pin, str(code.origin)))
    if not (is_trusting() or of_the_user):
        raise OwnCodeError(
            f"this run needs the code in {code.origin} (SHA-256 {code.sha256[:12]}…), which you never ran: "
            "read it; if you trust it, ebmkit --trust-code COMMAND … loads it"
        )


def _in_file(where: str, name: str, folder: Path) -> OwnCode:
    path = folder / where
    try:
        path = path.resolve(strict=True)
        if not path.is_file() or path.stat().st_size > _LARGEST:
            raise OwnCodeError(f"{path} is not a file of Python code")
        source = path.read_bytes()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OwnCodeError(f"cannot read {quoted(str(path))}: {reason}") from None
    return OwnCode(name, path, hashlib.sha256(source).hexdigest(), None, source)


def _in_module(where: str, name: str) -> OwnCode | None:
    """A class of a module that Python finds, which is not imported to look."""
    if not all(part.isidentifier() for part in where.split(".")):
        return None
    try:
        files = [Path(origin) for origin in _origins(where)]
        sources = [file.read_bytes() for file in files]
    except (OSError, ImportError, ValueError):
        return None
    if not files:
        return None
    digest = hashlib.sha256(sources[-1])
    for around in sources[:-1]:
        digest.update(hashlib.sha256(around).digest())
    return OwnCode(name, files[-1], digest.hexdigest(), where, sources[-1])


def _origins(module: str) -> list[str]:
    """The files of a module and of the packages around it, the module's last; empty where it has none."""
    root, *rest = module.split(".")
    spec: ModuleSpec | None = importlib.util.find_spec(root)
    found = []
    for part in [*rest, None]:
        if spec is None:
            return []
        if spec.origin is not None and spec.has_location:
            found.append(spec.origin)
        elif part is None:
            return []
        if part is not None:
            spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
    return found
