"""A trained run, opened to be used from Python."""

from __future__ import annotations

from typing import Any, final

import attrs
import torch
from torch import Tensor

from ebmkit.applications.conditions import class_named, conditions
from ebmkit.applications.evaluation import judge_against, judge_for
from ebmkit.applications.loading import examples_of
from ebmkit.applications.sampling import draw, load_schedule, refuse_steps_of_nothing
from ebmkit.config import as_toml, read_document
from ebmkit.core import (
    CooperativeScheduler,
    Encoder,
    Energy,
    Examples,
    LatentGenerator,
    Rng,
    Source,
    TensorSource,
    takes_conditions,
)
from ebmkit.core.averaging import take_averages
from ebmkit.errors import CheckpointError, DataError
from ebmkit.evaluation.judge import Evaluation
from ebmkit.run.build import choose_device
from ebmkit.run.weights import Weights, averages_of, weights_said
from ebmkit.storage.best import Which
from ebmkit.storage.checkpoint import Checkpoint
from ebmkit.storage.export import open_saved
from ebmkit.storage.folder import RunFolder, find_run

__all__ = ["TrainedRun", "load"]


@final
@attrs.frozen(repr=False)
class TrainedRun:
    """What a run trained.

    Attributes:
        folder: of the run.
        iteration: of the checkpoint.
        config: the resolved run file, as tables.
        schedule: with all parts, in eval mode.
        classes: the names of the classes of its data; empty where they had none.
        weights: which of that iteration: ``averaged weights (energy)`` or ``last weights``.
    """

    folder: RunFolder
    iteration: int
    config: dict[str, Any]
    schedule: CooperativeScheduler
    classes: tuple[str, ...] = ()
    weights: str = "last weights"

    def __repr__(self) -> str:
        """In a line: a checkpoint has millions of numbers."""
        names = ("energy", "generator", "encoder")
        parts = ((name, getattr(self, name)) for name in names)
        named = [f"{name}={type(part).__name__}" for name, part in parts if part is not None]
        return f"TrainedRun({self.folder.name!r}, iteration {self.iteration}, {', '.join(named)})"

    @property
    def energy(self) -> Energy | None:
        """The energy; None where the schedule has none."""
        return self.schedule.energy

    @property
    def generator(self) -> LatentGenerator | None:
        """The generator; None where the schedule has none."""
        return self.schedule.generator

    @property
    def encoder(self) -> Encoder | None:
        """The encoder; None where the schedule has none."""
        return self.schedule.encoder

    def sample(
        self,
        count: int,
        *,
        seed: int = 0,
        steps: int | None = None,
        condition: str | int | Tensor | None = None,
    ) -> Examples:
        """New samples, on the CPU: the bits that ``ebmkit sample`` draws.

        Args:
            count: how many.
            seed: of the latents and the noise.
            steps: of the revision; None takes the run's own number.
            condition: the name or number of a class; or the condition of each sample, ``(count, *K)``. None
                takes all classes in turn.

        Returns:
            ``proposal``, ``revised``, ``latents``, each ``(count, *S)``, and ``condition``, where there are
            such.

        Raises:
            ConfigError: no such class, or steps of a schedule that revises nothing.
        """
        if isinstance(condition, Tensor):
            given: Tensor | None = condition
        else:
            classes = self.classes if takes_conditions(self.schedule) else ()
            name = self.folder.name
            wanted = None if condition is None else class_named(str(condition), classes, of=name)
            given = conditions(classes, wanted, first=0, count=count)
        return Examples(**draw(self.schedule, count=count, seed=seed, steps=steps, condition=given))

    def examples(self, **data: Any) -> Tensor:
        """The examples that the run was trained on, or others of their source, on the CPU.

        Args:
            data: other keys of ``[data]``: ``skip=8500, limit=0`` for those behind the first 8,500. A
                scale that is fitted to the file stays that of the training.

        Returns:
            ``(N, *S)`` float32, in the order of the source.

        Raises:
            EbmkitError: data that cannot be opened, have another shape, or were handed in by a program.
        """
        keys = [f"data.{key}={as_toml(value)}" for key, value in data.items()]
        shape = open_saved(self.folder).trained_on.shape
        source = examples_of(self.folder, data=None, overrides=keys, shape=shape)
        return source[torch.arange(len(source))]

    def evaluate(
        self,
        *,
        count: int | None = None,
        against: str | Tensor | Source | None = None,
        seed: int = 0,
        steps: int | None = None,
    ) -> Evaluation:
        """Judge new samples against real examples: the figures of ``ebmkit evaluate``. Nothing is stored.

        Args:
            count: samples, >= 8; None takes the number in ``[evaluation]``.
            against: ``training``, ``held-out``, or the path of a folder or an archive; or the real examples
                themselves, ``(N, *S)``, which a run needs whose data a program handed in. None takes what
                ``[evaluation]`` says.
            seed: of the samples.
            steps: of the revision; None takes the run's own number.

        Returns:
            the figures, beside their floor and ceiling.

        Raises:
            EbmkitError: data, metrics or features that cannot be opened, or steps of a schedule that revises
                nothing.
        """
        refuse_steps_of_nothing(self.schedule, steps)
        if isinstance(against, Tensor | Source):
            examples = TensorSource(against) if isinstance(against, Tensor) else against
            self._refuse_other_shape(examples.shape)
            judge, usual = judge_against(self.folder, examples, classes=len(self.classes))
        else:
            judge, usual = judge_for(self.folder, against=against)
        count = count or usual
        found = judge.judge(self.schedule, iteration=self.iteration, count=count, seed=seed, steps=steps)
        floor, ceiling = judge.bounds(count, seed=seed)
        return attrs.evolve(found, floor=floor, ceiling=ceiling, weights=self.weights)

    def _refuse_other_shape(self, shape: tuple[int, ...]) -> None:
        """Refuse to compare with examples of another shape.

        Raises:
            DataError: they have one.
        """
        drawn = self.sample(1, steps=0)
        sample = drawn.proposal if drawn.proposal is not None else drawn.revised
        own = tuple(shape) if sample is None else tuple(sample.shape[1:])
        if tuple(shape) != own:
            raise DataError(f"the examples have shape {tuple(shape)}, samples of this run {own}")


def load(
    name: str,
    *,
    schedule: CooperativeScheduler | None = None,
    checkpoint: Which = "newest",
    weights: Weights | None = None,
) -> TrainedRun:
    """Open a trained run by one of its checkpoints, or an export.

    Args:
        name: under ``runs/``, or the path of its folder, or of an export.
        schedule: with its parts, where a program built them; its weights are replaced.
        checkpoint: ``newest``, the newest good one; ``best`` by the figure in ``[evaluation]``; or the
            iteration of another.
        weights: ``averaged`` or ``last``; None takes averaged ones where the checkpoint has them.

    Raises:
        EbmkitError: no such run, checkpoint or weights, or parts that do not fit or that only a program can
            build.
    """
    folder = find_run(name)
    config = read_document(folder.config, saved=True).data
    if schedule is None:
        opened, found = load_schedule(folder, which=checkpoint, weights=weights)
    else:
        opened, found = schedule, open_saved(folder, checkpoint)
        _fill(opened, found)
        take_averages(opened, averages_of(found, weights, run=folder.name), rng=Rng(config["run"]["seed"]))
    opened.requires_grad_(requires_grad=False)
    said = weights_said(averages_of(found, weights, run=folder.name))
    return TrainedRun(folder, found.iteration, config, opened, found.trained_on.classes, said)


def _fill(schedule: CooperativeScheduler, checkpoint: Checkpoint) -> None:
    """Give a program's own schedule the last weights of a checkpoint."""
    try:
        schedule.load_state_dict(checkpoint.model_state())
    except RuntimeError as error:
        raise CheckpointError(f"the checkpoint does not fit this schedule: {error}") from None
    schedule.to(choose_device("auto")).eval()
