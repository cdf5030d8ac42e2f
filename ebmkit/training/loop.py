"""Training: takes the updates of a schedule, one iteration after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import final

import attrs
import torch
from torch import Tensor, nn

from ebmkit.config.tables import AveragingTable
from ebmkit.core import (
    CooperativeScheduler,
    Examples,
    Optimizer,
    Precision,
    Rng,
    Update,
    Verification,
    examine,
    fast_layers,
    gather,
    reconstruct,
    stage,
    verifying,
    world,
)
from ebmkit.core.averaging import AveragedWeights
from ebmkit.core.distributed import average, average_in_place, largest
from ebmkit.core.stages import timed_stages
from ebmkit.core.stopping import Stopped, check_stop, may_stop, unstoppable
from ebmkit.errors import ConfigError, DivergedError, WrongGradientError
from ebmkit.messages.brief import brief
from ebmkit.training.batches import Batches
from ebmkit.training.precision import arithmetic, tensor_cores

__all__ = ["Experiment", "Learner", "Report", "train"]

_RUNAWAY = 100.0
"""Revised samples this many times larger than the data mean that a training has diverged."""


@final
@attrs.frozen
class Learner:
    """A part that learns.

    Attributes:
        module: the part.
        settings: of its optimizer.
        averaging: how its weights are averaged; None where they are not.
        optimizer: built from the settings.
        average: of the weights, likewise; nothing in a training depends on it.
    """

    module: nn.Module
    settings: Optimizer
    averaging: AveragingTable | None = None
    optimizer: torch.optim.Optimizer = attrs.field()
    average: AveragedWeights | None = attrs.field()

    def __repr__(self) -> str:
        return brief(self)

    @optimizer.default
    def _build(self) -> torch.optim.Optimizer:
        return self.settings.build(self.module.parameters())

    @average.default
    def _average(self) -> AveragedWeights | None:
        return None if self.averaging is None else AveragedWeights(self.module, decay=self.averaging.decay)

    def remember(self, iteration: int) -> None:
        """Take the weights after an update of this iteration into the average, if it has begun."""
        if self.averaging is not None and self.average is not None and iteration >= self.averaging.start:
            self.average.update()


@final
@attrs.frozen
class Experiment:
    """Everything a training needs.

    Attributes:
        schedule: the algorithm with its parts; its ``state_dict()`` is the state of the model.
        learners: by the name of the part.
        batches: the data.
        rng: the stream all noise comes from, at the first chain of this process.
        precision: in which chains and updates are computed.
        verify: which gradients of chains are compared with autograd's.
    """

    schedule: CooperativeScheduler
    learners: Mapping[str, Learner]
    batches: Batches
    rng: Rng
    precision: Precision = "fp32"
    verify: Verification = "off"

    def __repr__(self) -> str:
        return brief(self)

    def averages(self) -> dict[str, Mapping[str, Tensor]]:
        """Averaged weights by part, of those whose average has begun; they go on changing."""
        kept = {part: learner.average for part, learner in sorted(self.learners.items())}
        return {part: each.values for part, each in kept.items() if each is not None and each.updates}


@final
@attrs.frozen
class Report:
    """What one iteration did.

    Attributes:
        iteration: counted from 1: how many are done.
        examples: the sets it made; this process's part of them where several train.
        seconds: by stage.
        stats: losses, gradient norms and what the samplers watched, 0-dim, on the device.
    """

    iteration: int
    examples: Examples
    seconds: Mapping[str, float]
    stats: Mapping[str, Tensor]
    _schedule: CooperativeScheduler

    def __repr__(self) -> str:
        return brief(self)

    def gathered(self) -> Report:
        """This report with the sets of all processes; all of them have to ask."""
        sets = (None if each is None else gather(each) for each in self.examples)
        return attrs.evolve(self, examples=Examples(*sets))

    @property
    def reconstructed(self) -> Tensor | None:
        """g(z) of this iteration's latents, by the generator as it is now."""
        generator = self._schedule.generator
        return None if generator is None else reconstruct(generator, self.examples)

    def metrics(self) -> dict[str, float]:
        """Every figure as a number; costs a forward pass or two, so ask when you log."""
        figures = examine(
            self.examples, energy=self._schedule.energy, reconstructed=self.reconstructed, known=self.stats
        ) | dict(self.stats)
        seconds = {f"seconds_{name}": value for name, value in self.seconds.items()}
        return {name: float(value) for name, value in figures.items()} | seconds


def train(experiment: Experiment, *, iterations: int, start: int = 0) -> Iterator[Report]:
    """Run the iterations ``start`` .. ``iterations`` - 1 and report on each.

    Iteration k depends on the weights, the chains and k alone: stop anywhere, load what was
    saved after iteration k, start at k, and every bit is as it would have been.

    Where several processes train, each calls this and stays in step with the others: gradients are
    averaged before they are looked at or applied, so that every process takes the same step, or
    none does.

    Raises:
        DivergedError: a loss or gradient is not finite, and the update was not applied; or the
            revised samples are far outside the range of the data.
        ConfigError: the schedule teaches a part of which nothing learns.
        Stopped: the block around is ``stoppable`` and the end was requested; the state is that
            after the last report.
    """
    for iteration in range(start, iterations):
        yield _iterate(experiment, iteration)


def _iterate(experiment: Experiment, iteration: int) -> Report:
    stats: dict[str, Tensor] = {}
    check_stop()
    with timed_stages() as seconds:
        with stage("data"):
            batch = experiment.batches[iteration]
        device = batch.x.device
        updates = experiment.schedule.updates(batch, rng=experiment.rng.fold_in("iteration", iteration))
        guard: AbstractContextManager[None] = _undone_if_stopped(experiment.schedule)
        with tensor_cores(experiment.precision, device), _verified(experiment.verify, iteration):
            while True:
                try:
                    with guard, arithmetic(experiment.precision, device), fast_layers(experiment.schedule):
                        update = next(updates)
                except StopIteration as finished:
                    _refuse_runaway(finished.value, iteration)
                    return Report(iteration + 1, finished.value, seconds, stats, experiment.schedule)
                stats |= _learn(experiment, update, iteration)
                guard = unstoppable()  # something was learned: half an iteration cannot be saved


@contextmanager
def _verified(how: Verification, iteration: int) -> Iterator[None]:
    """Let gradients be compared, and say in which iteration one is wrong."""
    try:
        with verifying(how):
            yield
    except WrongGradientError as error:
        raise WrongGradientError(f"iteration {iteration + 1}: {error}") from None


@contextmanager
def _undone_if_stopped(module: nn.Module) -> Iterator[None]:
    """Give buffers back what they held if the block is stopped; weights change in updates alone."""
    owners = list(module.modules()) if may_stop() else []
    buffers = [(owner, *each) for owner in owners for each in owner.named_buffers(recurse=False)]
    before = [buffer.clone() for _, _, buffer in buffers]
    try:
        yield
    except Stopped:
        for (owner, name, buffer), value in zip(buffers, before, strict=True):
            setattr(owner, name, buffer.copy_(value))
        raise


def _refuse_runaway(examples: Examples, iteration: int) -> None:
    """Stop when the chains have left the region of the data by orders of magnitude."""
    if examples.revised is None or examples.observed is None:
        return
    reached, data = largest(torch.stack([_reach(examples.revised), _reach(examples.observed)])).tolist()
    if not reached <= _RUNAWAY * max(data, 1e-6):
        raise DivergedError(
            f"iteration {iteration + 1}: the revised samples reach {reached:.3g} where the data reach "
            f"{data:.3g}: the chains ran away"
        )


def _reach(x: Tensor) -> Tensor:
    """The largest absolute value; 0 where a process has no rows."""
    return x.abs().amax() if x.numel() else x.new_zeros(())


def _learn(experiment: Experiment, update: Update, iteration: int) -> Mapping[str, Tensor]:
    """Take one gradient step, unless the loss or the gradient is not finite; without a loss take none."""
    if update.loss is None:
        return _averaged(update.stats)
    learner = _learner(experiment, update.part)
    with stage(f"update_{update.part}"):
        learner.optimizer.zero_grad()
        with fast_layers(learner.module):  # layers that are computed again in the backward pass
            update.loss.backward()  # type: ignore[no-untyped-call]
        gradients = [each.grad for each in learner.module.parameters() if each.grad is not None]
        average_in_place(gradients)
        norm = torch.nn.utils.get_total_norm(gradients)
        loss = average(update.loss.detach())
        if not torch.isfinite(loss + norm):
            raise DivergedError(
                f"iteration {iteration + 1}: the {update.part} has loss {float(loss):.4g} and gradient norm "
                f"{float(norm):.4g}; the update was not applied"
            )
        learner.settings.clip(gradients)
        for group in learner.optimizer.param_groups:
            group["lr"] = learner.settings.rate(iteration)
        learner.optimizer.step()
        learner.remember(iteration)
    return {f"loss_{update.part}": loss, f"gradient_{update.part}": norm, **_averaged(update.stats)}


def _averaged(stats: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The average over the processes that have a number: one without chains watched none."""
    if world().size == 1 or not stats:
        return stats
    values = torch.stack([each.double() for each in stats.values()])
    known = values.isfinite()
    total, count = average(torch.stack([values.where(known, torch.zeros_like(values)), known.double()]))
    return dict(zip(stats, total / count, strict=True))


def _learner(experiment: Experiment, part: str) -> Learner:
    if part not in experiment.learners:
        raise ConfigError(
            f"the schedule teaches the {part}, but no weight of it learns: let a part of it learn "
            "(learn = true for one from another run), or only draw from it: [schedule] use = 'sampling'"
        )
    return experiment.learners[part]
