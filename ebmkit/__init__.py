"""ebmkit: energy-based models from interchangeable parts.

    import ebmkit

    run = ebmkit.Run.new("mine", schedule, data=images)   # train parts of your own
    trained = ebmkit.load("mine")                          # use what any run trained
    plan = ebmkit.load_plan("examples/coopnets_faces.toml", overrides={"run.iterations": 10})

Importing this package is cheap: it loads no tensor library until one of these is used. Authors of parts
write ``from ebmkit.core import Sampler`` and ``from ebmkit.plugin import hookimpl``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ebmkit.provided import provide_gradient_backends

if TYPE_CHECKING:
    from ebmkit.applications.opened import TrainedRun, load
    from ebmkit.config.face import load_plan
    from ebmkit.run.program import Run

__version__ = "0.1.0"
__all__ = ["Run", "TrainedRun", "__version__", "load", "load_plan"]

_PLACES = {
    "Run": "ebmkit.run.program",
    "TrainedRun": "ebmkit.applications.opened",
    "load": "ebmkit.applications.opened",
    "load_plan": "ebmkit.config.face",
}


def __getattr__(name: str) -> Any:
    """Import what the package offers when it is asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    """Everything that can be asked for."""
    return sorted({*globals(), *__all__})


@provide_gradient_backends
def _gradient_backends() -> tuple[Any, ...]:
    from ebmkit.registry.backends import installed_backends

    return installed_backends()
