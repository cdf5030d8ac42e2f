"""The plugin API: this page is all a plugin author needs beside ``ebmkit.core``.

A plugin is a module with hook implementations, named by an entry point of the group ``ebmkit``:

    # pyproject.toml
    [project.entry-points.ebmkit]
    mala = "ebmkit_mala"

    # ebmkit_mala.py
    from ebmkit.plugin import hookimpl

    @hookimpl
    def ebmkit_samplers():
        return {"mala": MALA}

Each hook returns a mapping from the name that run files use to the class. The class's
keyword-only constructor parameters are its TOML keys; its positional parameters are parts,
handed in by name (``shape``, ``examples``, ``energy``, ``generator``, ``revision``,
``inference``). Ranges are annotations: ``Annotated[float, Gt(0)]``. ebmkit's own parts come in by
the same door.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from ebmkit.core import CooperativeScheduler, Energy, LatentGenerator, Sampler
    from ebmkit.data import Source

__all__ = [
    "ENTRY_POINT_GROUP",
    "ebmkit_energies",
    "ebmkit_generators",
    "ebmkit_samplers",
    "ebmkit_schedulers",
    "ebmkit_sources",
    "hookimpl",
    "hookspec",
]

ENTRY_POINT_GROUP = "ebmkit"

hookspec = pluggy.HookspecMarker("ebmkit")
hookimpl = pluggy.HookimplMarker("ebmkit")


@hookspec
def ebmkit_energies() -> Mapping[str, type[Energy]]:  # type: ignore[empty-body]
    """Energies, for ``[energy]``."""


@hookspec
def ebmkit_generators() -> Mapping[str, type[LatentGenerator]]:  # type: ignore[empty-body]
    """Latent generators, for ``[generator]``."""


@hookspec
def ebmkit_samplers() -> Mapping[str, type[Sampler]]:  # type: ignore[empty-body]
    """Samplers, for ``[revision]`` and ``[inference]``."""


@hookspec
def ebmkit_schedulers() -> Mapping[str, type[CooperativeScheduler]]:  # type: ignore[empty-body]
    """Schedules, for ``[schedule]``."""


@hookspec
def ebmkit_sources() -> Mapping[str, type[Source]]:  # type: ignore[empty-body]
    """Data sources, for ``[data]``."""
