"""Every check of a sampler: what it must respect, the shapes it takes, how long it lasts, and its law."""

from ebmkit.testing import endurance, laws, samplers, shapes

__all__ = ["CHECKS"]

CHECKS = {**shapes.CHECKS, **samplers.CHECKS, **endurance.CHECKS, **laws.CHECKS}
