"""ebmkit: energy-based models from interchangeable parts.

Importing this package is cheap: it loads no tensor library. Component authors
write ``from ebmkit.core import Sampler`` and ``from ebmkit.plugin import hookimpl``.
"""

from typing import Any

from ebmkit.provided import provide_gradient_backends

__version__ = "0.1.0"
__all__ = ["__version__"]


@provide_gradient_backends
def _gradient_backends() -> tuple[Any, ...]:
    from ebmkit.registry.backends import installed_backends

    return installed_backends()
