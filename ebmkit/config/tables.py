"""The tables whose keys belong to ebmkit itself; all others belong to the parts they name."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from ebmkit.parameters.ranges import Exists, Ge, Gt, Le, Lt, OrInfinite

__all__ = [
    "AveragingTable",
    "ChainKeys",
    "DataKeys",
    "EvaluationTable",
    "GuardTable",
    "RunTable",
    "WeightKeys",
]


@attrs.frozen(kw_only=True)
class RunTable:
    """``[run]``: how long, where to, how often.

    Args:
        seed: of weights, batches and noise; the same seed gives the same run.
        iterations: turns of learning.
        device: ``auto`` takes a GPU where there is one.
        precision: ``fp32`` is exact to rounding; ``mixed`` takes the gradients of chains through
            bfloat16; ``bf16`` everything that a processor or GPU is faster at.
        verify: ``first`` compares the first gradient that a fast path computes in each chain with autograd's,
            ``always`` every one; a difference ends the run. The variable ``EBMKIT_VERIFY`` does the same.
        output: the run folder; by default ``runs/`` and the name of the run file.
        log_every: iterations between two lines of metrics.
        samples_every: iterations between two sample grids.
        checkpoint_every: iterations between two checkpoints.
        keep: how many checkpoints to keep; the newest ones stay.
        rank_timeout: seconds that a process waits for another before it counts as gone, where several
            train together.
    """

    seed: int = 0
    iterations: Annotated[int, Ge(1)] = 1000
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "mixed", "bf16"] = "fp32"
    verify: Literal["off", "first", "always"] = "off"
    output: str = ""
    log_every: Annotated[int, Ge(1)] = 10
    samples_every: Annotated[int, Ge(1)] = 50
    checkpoint_every: Annotated[int, Ge(1)] = 100
    keep: Annotated[int, Ge(1)] = 2
    rank_timeout: Annotated[float, Gt(0), Le(1e9)] = 600.0


@attrs.frozen(kw_only=True)
class DataKeys:
    """The keys of ``[data]`` that every source shares.

    Args:
        batch: n, training examples per iteration.
        workers: threads that decode the next batches ahead of the training, where the source streams;
            any number gives the same batches.
    """

    batch: Annotated[int, Ge(1)] = 64
    workers: Annotated[int, Ge(0)] = 4


@attrs.frozen(kw_only=True)
class ChainKeys:
    """The keys of ``[revision]`` and ``[inference]`` that every sampler shares.

    Args:
        steps: moves of the sampler per iteration; 0 leaves the chains where they are.
        graph: run up to 20 steps as one graph, captured on a GPU and compiled on a CPU: for small
            energies and batches. The same noise, and the same moves to rounding.
    """

    steps: Annotated[int, Ge(0)] = 10
    graph: bool = False


@attrs.frozen(kw_only=True)
class WeightKeys:
    """The key that every table ``[energy.parts.NAME]`` shares.

    Args:
        weight: of this part among the others; what it does is the composing energy's to say.
    """

    weight: float = 1.0


@attrs.frozen(kw_only=True)
class AveragingTable:
    """``averaging = { … }`` of a part that learns: an average of its weights over its updates is kept.

    Training goes on with the weights themselves; what is done with the trained part takes the average.
    Without this table there is none.

    Args:
        decay: d, of $d^{n-k}$, the weight of update k of n in the average: it reaches back about 1 / (1 - d)
            updates, of which a twentieth to a tenth of the run is usual.
        start: iterations that are left out of the average at the beginning.
    """

    decay: Annotated[float, Ge(0), Lt(1)] = 0.99
    start: Annotated[int, Ge(0)] = 0


@attrs.frozen(kw_only=True)
class GuardTable:
    """``[guard]``: when a training counts as diverged, and what happens then.

    Args:
        rollbacks: how often, within ``window`` iterations, a diverged training goes back to a healthy
            checkpoint with new noise; one more divergence ends the run with exit code 6. 0 never goes back.
        window: iterations; see ``rollbacks``.
        healthy_after: a checkpoint is gone back to only if that many iterations after it showed no
            warning sign.
        step_factor: the revision's ``step_size`` is multiplied by this at every rollback.
        rate_factor: the learning rates are multiplied by this at every rollback.
        energy_limit: diverged where the loss of the energy is that many times its median over the last
            100 iterations, not before there are as many.
        roughness_limit: diverged where the revised samples, which were smooth once, are that many times
            as rough as the data: salt and pepper.
        saturation_limit: diverged where that share of the samples' pixels or coordinates, beyond the data's
            own, reaches the ends of the data's range, and did not once.
    """

    rollbacks: Annotated[int, Ge(0)] = 3
    window: Annotated[int, Ge(1)] = 1000
    healthy_after: Annotated[int, Ge(0)] = 20
    step_factor: Annotated[float, Gt(0), Le(1)] = 1.0
    rate_factor: Annotated[float, Gt(0), Le(1)] = 1.0
    energy_limit: Annotated[float, Gt(1), OrInfinite()] = 100.0
    roughness_limit: Annotated[float, Gt(1), OrInfinite()] = 6.0
    saturation_limit: Annotated[float, Gt(0), Le(1)] = 0.5


@attrs.frozen(kw_only=True)
class EvaluationTable:
    """``[evaluation]``: how samples are judged while a run trains, and by ``ebmkit evaluate``.

    Args:
        every: iterations between two evaluations of a training; 0 evaluates on command alone.
        count: samples that are drawn for each.
        metrics: their names, as ``ebmkit plugins list`` has them; the first figure of the first one decides
            which checkpoint is kept as the best. None takes those that suit the data: ``kid``, ``manifold``
            and ``swd`` for images, ``energy-distance`` and ``mmd`` for others.
        features: the map in whose space images are compared, by the name that figures made with it bear:
            ``pixels``, ``lite0`` or, at another size in pixels, ``lite0-224``; ``inception``, which needs
            ``weights``; ``auto`` takes ``lite0`` where its weights are installed, else ``pixels``.
        weights: the path of a file of weights, for features that come without.
        against: what samples are compared with.
        held_out: keys of ``[data]`` that open examples kept back from training: ``["part=held-out"]``,
            ``["skip=8500", "limit=0"]``.
        crop: side in pixels of squares that are cut out of samples and real images at random places and
            compared in their stead: for textures, of which one photograph is all the data; 0 compares
            whole images. The floor then compares the left half of the data with the right half.
    """

    every: Annotated[int, Ge(0)] = 0
    count: Annotated[int, Ge(8)] = 256
    metrics: tuple[str, ...] = ()
    features: str = "auto"
    weights: Annotated[str, Exists()] = ""
    against: Literal["training", "held-out"] = "training"
    held_out: tuple[str, ...] = ()
    crop: Annotated[int, Ge(0)] = 0
