"""Evaluation of a run: who judges, by what, and the recorder that has it done while the run trains."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import final

import attrs
import torch

from ebmkit.config import ConfigProblemsError, EvaluationTable, read_document
from ebmkit.config.plan import Plan, make_plan
from ebmkit.config.sized import features_called
from ebmkit.core import Chain, Features, Metric, Rng, Source
from ebmkit.core.averaging import take_averages
from ebmkit.errors import ConfigError, DataError
from ebmkit.evaluation.judge import Evaluation, Judge
from ebmkit.evaluation.store import store
from ebmkit.registry.discovery import Registry
from ebmkit.report import are_images
from ebmkit.run.build import choose_device, open_source
from ebmkit.run.recorders import Figures, Recorder, writing
from ebmkit.run.saving import Checkpoints
from ebmkit.run.weights import weights_said
from ebmkit.storage.best import Best
from ebmkit.storage.folder import RunFolder
from ebmkit.training.loop import Report

__all__ = ["Evaluations", "held_out_source", "judge_of", "look_at_evaluation"]

_OF_IMAGES = ("kid", "manifold", "swd")
_OF_OTHERS = ("energy-distance", "mmd")
_BEST = "lite0"
"""The features that ``auto`` takes where they can be opened."""

_STORED = ".features"
_STEPS, _STEP_SIZE = 150, 0.05
"""Of the Langevin chain that infers the latents of reconstructions, as in ``ebmkit recover``."""


def judge_of(
    plan: Plan, folder: RunFolder, training: Source, *, held_out: Source | None = None, against: str = ""
) -> Judge:
    """Who judges a run as its ``[evaluation]`` says.

    Args:
        plan: of the run.
        folder: of the run; features of data are stored beside it, for other runs too.
        training: the data of the run.
        held_out: other data than ``[evaluation] held_out`` names.
        against: other examples than ``[evaluation] against`` names.

    Raises:
        EbmkitError: a metric, features or held-out data that cannot be opened, or a metric of images
            where the examples are none.
    """
    table, registry = plan.evaluation, Registry.discover()
    images = are_images(torch.empty(1, *training.shape, device="meta"))
    metrics = _metrics(table, registry, images=images)
    if not images and _wants_features(metrics):
        raise ConfigError(f"[evaluation] {_blind(metrics, training, f'the examples of run {folder.name}')}")
    device = choose_device(plan.run.device)
    judged = held_out or (held_out_source(folder, table.held_out) if table.held_out else None)
    against = against or table.against
    return Judge(
        metrics=metrics,
        features=_features(table, registry).to(device) if _wants_features(metrics) else None,
        training=training,
        held_out=judged,
        fingerprint=(judged if against == "held-out" and judged is not None else training).fingerprint(),
        against=against,
        images=images,
        cache=folder.path.parent / _STORED,
        device=device,
        inference=Chain(registry.find("sampler", "langevin").factory(step_size=_STEP_SIZE), _STEPS)
        if any("reconstruct" in each.needs for each in metrics.values())
        else None,
        classes=len(training.classes),
        crop=table.crop,
    )


def held_out_source(folder: RunFolder, keys: Sequence[str]) -> Source:
    """The data of a run with other keys of ``[data]``: ``["part=held-out"]``.

    Raises:
        ConfigError: not ``key=value``, or values that the source refuses.
    """
    document = read_document(folder.config, [f"data.{key}" for key in keys], saved=True)
    return open_source(make_plan(document, Registry.discover()))


def look_at_evaluation(plan: Plan, training: Source) -> Iterator[str]:
    """What keeps the evaluations of a training from being what ``[evaluation]`` says, known before it starts.

    An evaluation that fails is left out, and so are all after it, while the training goes on.

    Args:
        plan: of the run.
        training: its data.

    Yields:
        a sentence for each: there are no held-out examples; a metric of images, where the data are none; with
        ``features = "auto"``, the better ones cannot be opened.

    Raises:
        ConfigProblemsError: features that the run file names cannot be opened, because the package that
            carries their weights is not installed.
    """
    table, registry = plan.evaluation, Registry.discover()
    if not table.every:
        return
    if table.against == "held-out" and not table.held_out:
        yield (
            '[evaluation] against = "held-out" finds no examples, so that nothing will be evaluated: '
            'name them, as in held_out = ["skip=8500", "limit=0"]'
        )
    images = are_images(torch.empty(1, *training.shape, device="meta"))
    if not _wants_features(metrics := _metrics(table, registry, images=images)):
        return
    if not images:
        yield f"[evaluation] nothing will be evaluated: {_blind(metrics, training, 'the examples')}"
        return
    try:
        _features(attrs.evolve(table, features=_BEST) if table.features == "auto" else table, registry)
    except DataError as error:
        if table.features == "auto":
            yield f"[evaluation] images are compared by their pixels, which see less: {error}"
            return
        problem = plan.document.problem("E111", str(error), ("evaluation", "features"), value=True)
        raise ConfigProblemsError([problem], file=plan.document.file) from None


def _blind(metrics: Mapping[str, Metric], training: Source, examples: str) -> str:
    """Which metrics must see images, where the examples are none."""
    wanting = " and ".join(name for name, each in metrics.items() if "features" in each.needs)
    shape, others = tuple(training.shape), " and ".join(_OF_OTHERS)
    return f"metrics: {wanting} must see images, but {examples} have the shape {shape}; {others} take any"


def _metrics(table: EvaluationTable, registry: Registry, *, images: bool) -> Mapping[str, Metric]:
    names = table.metrics or (_OF_IMAGES if images else _OF_OTHERS)
    return {name: registry.find("metric", name).factory() for name in names}


def _wants_features(metrics: Mapping[str, Metric]) -> bool:
    return any("features" in metric.needs for metric in metrics.values())


def _features(table: EvaluationTable, registry: Registry) -> Features:
    """Those of the table; ``auto`` takes the best whose weights are there."""
    if table.features != "auto":
        component, keywords = features_called(table.features, registry)
        if table.weights:
            keywords["weights"] = table.weights
        return component.factory(**keywords)  # type: ignore[no-any-return]
    try:
        return registry.find("features", _BEST).factory()  # type: ignore[no-any-return]
    except DataError:  # its weights are not installed
        return registry.find("features", "pixels").factory()  # type: ignore[no-any-return]


@final
@attrs.define
class Evaluations(Recorder):
    """Judges the training as often as ``[evaluation]`` says, and has the best checkpoint kept.

    What is judged is a copy: nothing of the training can change. Where weights are averaged it has those,
    which the trained run is used with.

    Attributes:
        plan: of the run.
        folder: where evaluations are stored.
        when: the iterations that are judged.
        figures: of the newest report, which those of an evaluation are added to.
        checkpoints: that keep the best.
        say: tells people.
    """

    plan: Plan
    folder: RunFolder
    when: Callable[[int], bool]
    figures: Figures
    checkpoints: Checkpoints
    say: Callable[[str], None]
    name = "the evaluation"
    gathers = False
    _judge: Judge | None = None

    def due(self, iteration: int) -> bool:
        """As often as ``[evaluation] every`` says."""
        return self.when(iteration)

    def record(self, report: Report) -> None:
        """Judge the weights after this iteration."""
        began = time.monotonic()
        found = self._evaluate(report.iteration)
        self.figures.add(report, {f"evaluation_{each.name}": each.value for each in found.figures})
        kept = self._keep(found)
        with writing(self.folder):
            store(self.folder, found)
        seconds = time.monotonic() - began
        self.say(f"iteration {report.iteration}: {_said(found)}{kept} ({seconds:.0f} s)")

    def _evaluate(self, iteration: int) -> Evaluation:
        experiment = self.checkpoints.training.experiment
        if self._judge is None:
            self._judge = judge_of(self.plan, self.folder, experiment.batches.source)
            if self._judge.features is not None and self._judge.features.caution:
                self.say(f"note: {self._judge.features.caution}")
        schedule, averages = copy.deepcopy(experiment.schedule).eval(), experiment.averages()
        take_averages(schedule, averages, rng=Rng(self.plan.run.seed))
        found = self._judge.judge(schedule, iteration=iteration, count=self.plan.evaluation.count)
        return attrs.evolve(found, weights=weights_said(averages))

    def _keep(self, found: Evaluation) -> str:
        """Keep the checkpoint if it is the best; what to say of that."""
        assert self._judge is not None  # noqa: S101 - it has just judged
        if not found.figures:
            return ""
        first, metric = found.figures[0], next(iter(self._judge.metrics.values()))
        best = Best(f"evaluation_{first.name}", first.value, found.iteration, metric.better)
        return ", the best" if self.checkpoints.best(best) else ""


def _said(found: Evaluation) -> str:
    """``kid 62.9 ± 3.1, precision 0.1 ± 0.02``, or why there is nothing to say."""
    if not found.figures:
        return f"nothing could be evaluated: {'; '.join(found.left_out.values())}"
    shown = found.figures[:3]
    return ", ".join(
        f"{each.name} {each.value:.4g}" + ("" if each.error is None else f" ± {each.error:.2g}")
        for each in shown
    )
