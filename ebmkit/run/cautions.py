"""What is known before the first iteration to go wrong, though nothing in the run file is a mistake."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from ebmkit.config.plan import Plan
from ebmkit.run.judging import look_at_evaluation
from ebmkit.training.loop import Experiment

__all__ = ["cautions"]

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def cautions(plan: Plan, experiment: Experiment) -> Iterator[str]:
    """A sentence for each, which names the table and what to write instead.

    - a step that is not stable on the energy's Gaussian reference (``Sampler.caution``);
    - a batch that holds examples more than once, because there are fewer;
    - one chain, whose own statistics a batch normalisation takes, and not those it uses later;
    - evaluations that will fail, or see less than they could (``look_at_evaluation``).

    Raises:
        ConfigProblemsError: the run file names features for its evaluations that are not installed.
    """
    schedule, batches = experiment.schedule, experiment.batches
    chain, energy = schedule.revision, schedule.energy
    if chain is not None and energy is not None and (clause := chain.sampler.caution(energy)):
        yield f"[revision] {clause}"
    if batches.size > (count := len(batches.source)):
        yield (
            f"[data] batch = {batches.size} is more than the {count} examples there are: each batch holds "
            f"some of them more than once; batch = {count} takes every one"
        )
    if _proposals(experiment) == 1 and _learns_statistics(experiment):
        yield (
            "[schedule] one chain: the generator's batch normalisation learns from the statistics of single "
            'examples and samples with running ones; norm = "batch-always" or "group" keeps the two alike'
        )
    yield from look_at_evaluation(plan, batches.source)


def _proposals(experiment: Experiment) -> int | None:
    """How many samples the generator proposes per iteration, where the schedule says so."""
    chains = getattr(experiment.schedule, "chains", None)
    return experiment.batches.size if chains == 0 else chains


def _learns_statistics(experiment: Experiment) -> bool:
    """Of single examples; one made from latents at many places, a texture, has statistics like the next."""
    generator = experiment.schedule.generator
    if generator is None or len(generator.latent_shape) != 1:
        return False
    return any(
        isinstance(each, _BATCH_NORMS) and each.track_running_stats and not getattr(each, "always", False)
        for each in generator.modules()
    )
