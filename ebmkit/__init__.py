"""ebmkit: energy-based models from interchangeable parts.

Importing this package is cheap: it loads no tensor library. Component authors
write ``from ebmkit.core import Sampler`` and ``from ebmkit.plugin import hookimpl``.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
