"""The paper's networks: a bottom-up descriptor and a top-down generator."""

from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.generator import ConvGenerator

__all__ = ["ConvDescriptor", "ConvGenerator"]
