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

Each hook returns a mapping from the name that run files use to the class, or to a string
``"module:Class"``: then the class is imported when it is built and not before, and its parameters
are read from its source, so that checking a run file or listing parts needs no torch. The class's
keyword-only constructor parameters are its TOML keys; its positional parameters are parts. Of a
schedule the annotation of such a parameter says the kind of part and its name the table of the run
file: ``coarse: Energy`` makes ``[coarse]``, ``revision: Chain`` a ``[revision]`` that names a sampler,
``grids: Mapping[str, Energy]`` the tables ``[grids.16]``, ``[grids.64]``; ``shape`` of one example and
``examples`` in the data have no table. Ranges are annotations: ``Annotated[float, Gt(0)]``. ebmkit's own
parts come in by the same door.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from ebmkit.core import (
        CooperativeScheduler,
        Encoder,
        Energy,
        Features,
        GradientBackend,
        LatentGenerator,
        Metric,
        Optimizer,
        Sampler,
        Source,
        Tracker,
    )

__all__ = [
    "API_VERSION",
    "ENTRY_POINT_GROUP",
    "ebmkit_encoders",
    "ebmkit_energies",
    "ebmkit_features",
    "ebmkit_generators",
    "ebmkit_gradient_backends",
    "ebmkit_metrics",
    "ebmkit_optimizers",
    "ebmkit_samplers",
    "ebmkit_schedulers",
    "ebmkit_sources",
    "ebmkit_trackers",
    "hookimpl",
    "hookspec",
    "lazily",
]

ENTRY_POINT_GROUP = "ebmkit"

API_VERSION = (1, 0)
"""What this ebmkit offers to plugins: (major, minor).

A minor version adds and takes nothing away. A plugin module that needs a certain one says so,
``EBMKIT_API = (1, 0)``, and is reported as broken, with the reason, by a host of another major or
an older minor version. A module that says nothing is taken as it is.
"""


def lazily(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """A ``__getattr__`` for a package that offers classes without importing them.

    Finding a plugin imports its package, which must not import torch. So its ``__init__.py`` says

        __all__ = ["MALA"]
        __getattr__ = lazily(__name__, {"MALA": "ebmkit_mala.mala"})

    and ``from ebmkit_mala import MALA`` imports the module when it is asked for.

    Args:
        package: its name.
        places: each name with the module that defines it.
    """

    def look_up(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(places[name]), name)

    return look_up


hookspec = pluggy.HookspecMarker("ebmkit")
hookimpl = pluggy.HookimplMarker("ebmkit")


@hookspec
def ebmkit_energies() -> Mapping[str, type[Energy] | str]:  # type: ignore[empty-body]
    """Energies, for ``[energy]``."""


@hookspec
def ebmkit_generators() -> Mapping[str, type[LatentGenerator] | str]:  # type: ignore[empty-body]
    """Latent generators, for ``[generator]``."""


@hookspec
def ebmkit_encoders() -> Mapping[str, type[Encoder] | str]:  # type: ignore[empty-body]
    """Encoders, for ``[encoder]`` of the schedules that take one."""


@hookspec
def ebmkit_samplers() -> Mapping[str, type[Sampler] | str]:  # type: ignore[empty-body]
    """Samplers, for ``[revision]`` and ``[inference]``."""


@hookspec
def ebmkit_schedulers() -> Mapping[str, type[CooperativeScheduler] | str]:  # type: ignore[empty-body]
    """Schedules, for ``[schedule]``."""


@hookspec
def ebmkit_sources() -> Mapping[str, type[Source] | str]:  # type: ignore[empty-body]
    """Data sources, for ``[data]``."""


@hookspec
def ebmkit_optimizers() -> Mapping[str, type[Optimizer] | str]:  # type: ignore[empty-body]
    """Optimizers, for ``optimizer`` in the table of any part that learns."""


@hookspec
def ebmkit_metrics() -> Mapping[str, type[Metric] | str]:  # type: ignore[empty-body]
    """Metrics: how good a set of samples is."""


@hookspec
def ebmkit_features() -> Mapping[str, type[Features] | str]:  # type: ignore[empty-body]
    """Features: maps from images to vectors, in whose space metrics compare."""


@hookspec
def ebmkit_trackers() -> Mapping[str, type[Tracker] | str]:  # type: ignore[empty-body]
    """Trackers, for ``[trackers.NAME]``."""


@hookspec
def ebmkit_gradient_backends() -> Mapping[str, type[GradientBackend] | str]:  # type: ignore[empty-body]
    """Faster gradients; chains and trainings find them by themselves, and no run file names one."""
