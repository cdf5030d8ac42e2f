"""What ebmkit is made of: the abstract parts, the chain, the losses, the random numbers.

This is the public surface for component authors. It imports torch and names no plugin.
"""

from ebmkit.core.algebra import Mixture, Negated, Sum, Tempered, Weighted
from ebmkit.core.annealing import Annealer, newly_annealed
from ebmkit.core.augmentation import augmented
from ebmkit.core.autograd import Gradient, ValueAndGradient
from ebmkit.core.backends import GradientBackend, Offer, fast_layers, layers_are_plain
from ebmkit.core.chain import Chain, Samples, run_chain, walk
from ebmkit.core.clamped import Clamped
from ebmkit.core.conditional import (
    ConditionalEnergy,
    ConditionalGenerator,
    classes_in_turn,
    given,
    of_rows,
    takes_conditions,
)
from ebmkit.core.denoising import denoised, score_matching
from ebmkit.core.diagnostics import bulk_ess, r_hat, tail_ess
from ebmkit.core.distributed import World, gather, shard, shared_mean, shared_sum, world
from ebmkit.core.encoder import Encoder, Gaussian
from ebmkit.core.energy import Energy, EnergyFn
from ebmkit.core.features import ExampleSet, Features, describe
from ebmkit.core.figures import (
    examine,
    mean_energies,
    reconstruct,
    roughness,
    saturation,
    texture_signs,
)
from ebmkit.core.generator import LatentGenerator, Posterior
from ebmkit.core.gradient import Prepared, prepare, value_and_gradient
from ebmkit.core.graph.alignment import align_channels
from ebmkit.core.losses import (
    contrastive_divergence,
    gradient_penalty,
    pairwise_contrast,
    reconstruction_loss,
    squared_error,
)
from ebmkit.core.masks import speckle_masks, square_masks
from ebmkit.core.metric import Figure, Material, Metric, Need, standard_error
from ebmkit.core.modes import evaluating
from ebmkit.core.optimizer import Optimizer
from ebmkit.core.persistent import PersistentChains, Start
from ebmkit.core.precision import Precision, computing_in, current_precision
from ebmkit.core.reference import reference_std, std_of_coordinates, unstable_step
from ebmkit.core.renaming import renamed
from ebmkit.core.rng import Rng
from ebmkit.core.rows import as_rows, per_row
from ebmkit.core.sampler import Info, Position, Sampler, State
from ebmkit.core.scheduler import Batch, CooperativeScheduler, Examples, Proposal, Update, Updates
from ebmkit.core.source import Source
from ebmkit.core.stages import stage
from ebmkit.core.stopping import check_stop
from ebmkit.core.tensors import TensorSource
from ebmkit.core.tracker import Tracker
from ebmkit.core.verification import Verification, verifying
from ebmkit.core.watched import Derived
from ebmkit.messages.brief import brief
from ebmkit.parameters.ranges import Exists, Ge, Gt, Le, Lt, MinLen, OrInfinite
from ebmkit.parameters.records import Annealing, LossAugmentation, Ramp

__all__ = [
    "Annealer",
    "Annealing",
    "Batch",
    "Chain",
    "Clamped",
    "ConditionalEnergy",
    "ConditionalGenerator",
    "CooperativeScheduler",
    "Derived",
    "Encoder",
    "Energy",
    "EnergyFn",
    "ExampleSet",
    "Examples",
    "Exists",
    "Features",
    "Figure",
    "Gaussian",
    "Ge",
    "Gradient",
    "GradientBackend",
    "Gt",
    "Info",
    "LatentGenerator",
    "Le",
    "LossAugmentation",
    "Lt",
    "Material",
    "Metric",
    "MinLen",
    "Mixture",
    "Need",
    "Negated",
    "Offer",
    "Optimizer",
    "OrInfinite",
    "PersistentChains",
    "Position",
    "Posterior",
    "Precision",
    "Prepared",
    "Proposal",
    "Ramp",
    "Rng",
    "Sampler",
    "Samples",
    "Source",
    "Start",
    "State",
    "Sum",
    "Tempered",
    "TensorSource",
    "Tracker",
    "Update",
    "Updates",
    "ValueAndGradient",
    "Verification",
    "Weighted",
    "World",
    "align_channels",
    "as_rows",
    "augmented",
    "brief",
    "bulk_ess",
    "check_stop",
    "classes_in_turn",
    "computing_in",
    "contrastive_divergence",
    "current_precision",
    "denoised",
    "describe",
    "evaluating",
    "examine",
    "fast_layers",
    "gather",
    "given",
    "gradient_penalty",
    "layers_are_plain",
    "mean_energies",
    "newly_annealed",
    "of_rows",
    "pairwise_contrast",
    "per_row",
    "prepare",
    "r_hat",
    "reconstruct",
    "reconstruction_loss",
    "reference_std",
    "renamed",
    "roughness",
    "run_chain",
    "saturation",
    "score_matching",
    "shard",
    "shared_mean",
    "shared_sum",
    "speckle_masks",
    "square_masks",
    "squared_error",
    "stage",
    "standard_error",
    "std_of_coordinates",
    "tail_ess",
    "takes_conditions",
    "texture_signs",
    "unstable_step",
    "value_and_gradient",
    "verifying",
    "walk",
    "world",
]
