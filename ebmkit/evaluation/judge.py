"""One evaluation: figures of samples beside those of real examples and of a Gaussian."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import final

import attrs
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ebmkit.core import (
    Chain,
    ConditionalGenerator,
    CooperativeScheduler,
    ExampleSet,
    Features,
    Figure,
    LatentGenerator,
    Material,
    Metric,
    Rng,
    describe,
)
from ebmkit.errors import DataError
from ebmkit.evaluation.crops import crops, tiles
from ebmkit.evaluation.sets import Part, draw, gaussian_like, spread
from ebmkit.storage.durable import replace_file

__all__ = ["MOST_CROPS", "MOST_REAL", "Evaluation", "Judge"]

MOST_REAL = 2000
"""Real examples that samples are compared with, at most: more cost time and change little."""

MOST_CROPS = 500
"""Crops of real images that those of samples are compared with: one photograph has no more to tell."""


@final
@attrs.frozen(kw_only=True, repr=False)
class Evaluation:
    """What one evaluation found; shown as lines, one a figure.

    Attributes:
        iteration: of the weights.
        count: samples.
        against: what they were compared with: ``training data``.
        seed: of the samples.
        figures: of the samples.
        floor: the same of real examples against other real ones: no model does better.
        ceiling: the same of a Gaussian with the data's mean and covariance: any model should do better.
        left_out: metrics that could not be taken, each with the reason.
        weights: which of that iteration: ``last weights``.
        steps: of the revision, where it was another number than the run's own.
    """

    iteration: int
    count: int
    against: str
    seed: int
    figures: Sequence[Figure]
    floor: Sequence[Figure] = ()
    ceiling: Sequence[Figure] = ()
    left_out: Mapping[str, str] = attrs.field(factory=dict)
    weights: str = "last weights"
    steps: int | None = None

    def __repr__(self) -> str:
        judged = f"iteration {self.iteration:,} ({self.of}), {self.count:,} samples against {self.against}"
        left_out = (f"{name} is left out: {why}" for name, why in self.left_out.items())
        return "\n  ".join([judged, *map(self._told, self.figures), *left_out])

    def _told(self, figure: Figure) -> str:
        """``kid(lite0-112, n = 256) = 0.17 ± 0.008 (floor -0.0055, ceiling 1.013)``."""
        bounds = [
            f"{name} {other.value:.4g}"
            for name, found in (("floor", self.floor), ("ceiling", self.ceiling))
            for other in found
            if other.name == figure.name
        ]
        return f"{figure} ({', '.join(bounds)})" if bounds else str(figure)

    @property
    def of(self) -> str:
        """What was judged: ``averaged weights (energy), 20 steps``."""
        return self.weights if self.steps is None else f"{self.weights}, {self.steps} steps"

    def figure(self, name: str) -> Figure | None:
        """The figure of that name, or None."""
        return next((each for each in self.figures if each.name == name), None)


@final
@attrs.define(kw_only=True, eq=False, slots=False)
class Judge:
    """Evaluates states of one training against one set of real examples, whose features are kept.

    Attributes:
        metrics: by their names.
        features: in whose space images are compared; None where none are needed.
        training: what is learned from.
        held_out: what is not, where there is such data.
        fingerprint: of the real examples, under which their features are stored.
        against: whether samples are compared with ``training`` or ``held-out`` examples.
        images: whether the examples are images.
        cache: folder of stored features; None keeps them in memory alone.
        device: where the schedule is.
        inference: the chain that infers the latents of reconstructions; None takes none.
        classes: of the training data, which conditional parts draw in turn; 0 without any.
        crop: side in pixels of the squares that are compared; 0 compares whole examples.
    """

    metrics: Mapping[str, Metric]
    features: Features | None
    training: ExampleSet
    held_out: ExampleSet | None = None
    fingerprint: str = ""
    against: str = "training"
    images: bool = True
    cache: Path | None = None
    device: torch.device = attrs.field(factory=lambda: torch.device("cpu"))
    inference: Chain | None = None
    classes: int = 0
    crop: int = 0

    def judge(
        self,
        schedule: CooperativeScheduler,
        *,
        iteration: int,
        count: int,
        seed: int = 0,
        steps: int | None = None,
    ) -> Evaluation:
        """Draw samples and take every figure that can be taken.

        Args:
            schedule: in eval mode; nothing of it changes.
            iteration: of its weights.
            count: samples, or crops of samples.
            seed: of the samples.
            steps: of the revision; None takes the run's own number.

        Raises:
            DataError: samples are to be compared with held-out examples, and there are none; or crops are
                larger than the images.
        """
        material = self._material(self._drawn(schedule, count, seed, steps), self.real, seed)
        if not self.crop:
            material.training, material.held_out = self.training, self.held_out
        generator = schedule.generator
        needs_condition = isinstance(generator, ConditionalGenerator)
        if generator is not None and not needs_condition and self.inference is not None:
            rng = Rng(seed).fold_in("reconstruct")
            material.reconstruct = partial(_reconstructed, generator, self.inference, rng)
        figures, left_out = self._measure(material)
        what = f"crops of {self.crop} pixels" if self.crop else "examples"
        against = f"{len(self.real)} {self.against} {what}"
        return Evaluation(
            iteration=iteration,
            count=count,
            against=against,
            seed=seed,
            figures=figures,
            left_out=left_out,
            steps=steps,
        )

    def bounds(self, count: int, *, seed: int = 0) -> tuple[Sequence[Figure], Sequence[Figure]]:
        """The floor and the ceiling of what ``judge`` finds with so many samples.

        The floor compares one half of the real examples with the other: the figures of a perfect model, of
        as many samples as there are; or crops of the left halves of images with crops of the right ones,
        which share no pixel. The ceiling compares a Gaussian with all of them.
        """
        first, second = self._halves(count)
        if not len(second):
            return (), ()
        drawn = gaussian_like(self.real, count, rng=Rng(seed).fold_in("ceiling"), images=self.images)
        floor, _ = self._measure(self._material(first, second, seed))
        ceiling, _ = self._measure(self._material(drawn, self.real, seed))
        return floor, ceiling

    @cached_property
    def real(self) -> ExampleSet:
        """The real examples, or crops of them, that samples are compared with."""
        rng = Rng(0).fold_in("real")
        if self.crop:
            return crops(self._against, self.crop, MOST_CROPS, rng=rng)
        return spread(self._against, MOST_REAL, rng=rng)

    @property
    def _against(self) -> ExampleSet:
        examples = self.held_out if self.against == "held-out" else self.training
        if examples is None:
            raise DataError(
                'there are no held-out examples to compare with: held_out = ["KEY=VALUE"] in [evaluation] '
                "gives the keys of [data] that open them, and so does --set data.KEY=VALUE"
            )
        return examples

    def _drawn(self, schedule: CooperativeScheduler, count: int, seed: int, steps: int | None) -> ExampleSet:
        """Samples, or crops of so few samples as hold that many beside each other."""
        few = count if not self.crop else -(-count // tiles(self._against, self.crop))
        drawn = draw(schedule, few, seed=seed, steps=steps, images=self.images, classes=self.classes)
        return crops(drawn, self.crop, count, rng=Rng(seed).fold_in("crops")) if self.crop else drawn

    @cached_property
    def _real_features(self) -> Tensor:
        """Of the real examples, ``(m, d)``: computed once, or read where they were stored."""
        if self.features is None:
            raise DataError("this needs features")
        path = self._stored_at(self.features)
        found = None if path is None else _read(path, len(self.real))
        if found is None:
            found = describe(self.features, self.real, device=self.device)
            if path is not None:
                _store(path, found)
        return found

    def _halves(self, count: int) -> tuple[ExampleSet, ExampleSet]:
        """Real examples of which no two sets share anything, the first at most so many."""
        if self.crop:
            left, right = (
                crops(self._against, self.crop, most, rng=Rng(0).fold_in(name), columns=columns)
                for name, most, columns in (("left", count, (0, 0.5)), ("right", MOST_CROPS, (0.5, 1)))
            )
            return left, right
        even, odd = (torch.arange(first, len(self.real), 2) for first in (0, 1))
        return Part(self.real, even[:count]), Part(self.real, odd)

    def _material(self, generated: ExampleSet, real: ExampleSet, seed: int) -> Material:
        """What is compared, with the features of real examples filled in."""
        rng = Rng(seed).fold_in("metrics")
        material = Material(
            generated=generated, real=real, features=self.features, device=self.device, rng=rng
        )
        if self.features is not None:
            for name, examples in (("real", real), ("generated", generated)):
                if examples is self.real:
                    material.described[name] = self._real_features
                elif isinstance(examples, Part) and examples.whole is self.real:
                    material.described[name] = self._real_features[examples.positions]
        return material

    def _measure(self, material: Material) -> tuple[list[Figure], dict[str, str]]:
        """Every figure that can be taken of this, and why others cannot."""
        figures: list[Figure] = []
        left_out = {}
        for name, metric in self.metrics.items():
            if lacking := material.lacks(metric):
                left_out[name] = f"it needs {' and '.join(lacking)}"
                continue
            try:
                figures += metric.measure(material)
            except DataError as error:
                left_out[name] = str(error)
        return figures, left_out

    def _stored_at(self, features: Features) -> Path | None:
        if self.cache is None or not self.fingerprint:
            return None
        said = f"{features.fingerprint()} {self.fingerprint} {self.against} {len(self.real)}"
        said += f" crops of {self.crop}" if self.crop else ""
        return self.cache / f"{features.name}-{hashlib.sha256(said.encode()).hexdigest()[:20]}.safetensors"


def _reconstructed(generator: LatentGenerator, inference: Chain, rng: Rng, x: Tensor) -> Tensor:
    """g(z), z moved from N(0, I) by the chain under p(z | x)."""
    start = generator.prior(len(x), rng=rng.fold_in("start"))
    z = inference(generator.posterior(x.to(start)), start, rng=rng.fold_in("chain")).x
    with torch.no_grad():
        reconstructed: Tensor = generator(z)
    return reconstructed.cpu()


def _read(path: Path, count: int) -> Tensor | None:
    """The features in a file; None where there are none, or others."""
    try:
        found = safetensors.torch.load_file(path)["features"]
    except (OSError, KeyError, safetensors.SafetensorError):
        return None
    return found if len(found) == count else None


def _store(path: Path, features: Tensor) -> None:
    """Keep features for the next evaluation; where the folder cannot be written, they are made again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, safetensors.torch.save({"features": features.contiguous()}))
    except OSError:
        return
