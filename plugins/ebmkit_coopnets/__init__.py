"""The paper's three schedules: cooperative training, Algorithm D and Algorithm G."""

from ebmkit_coopnets.cooperative import CoopNets
from ebmkit_coopnets.descriptor import DescriptorOnly
from ebmkit_coopnets.generator import GeneratorOnly

__all__ = ["CoopNets", "DescriptorOnly", "GeneratorOnly"]
