"""The kinds of part: one record each, which the registry, run files, checks and commands go by.

A new kind is an abstract class in the core, a hook in ``ebmkit.plugin``, a record here, checks in
``ebmkit.testing``, a template in ``ebmkit.scaffold``, and a page of the docs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import final

import attrs

from ebmkit.parameters.signature import PartSlot

__all__ = ["KINDS", "Kind", "kind_named", "kind_of_slot"]


@final
@attrs.frozen(kw_only=True)
class Kind:
    """One kind of part.

    Attributes:
        name: in ``kind/name`` and in messages.
        hook: by which plugins offer parts of it.
        base: the abstract class, ``module:Class`` where it is defined.
        table: of a run file in which a part of it is usually named, dots leading further in; None where no
            run file names it.
        aliases: other words for it on the command line.
        handed_as: classes as which a schedule may ask for it, beside ``base``: a ``Chain`` holds a sampler.
        checks: of a part of it, by name, ``module:NAME``.
        claims: what a part of it may say of itself for them, ``module:Class``.
        shared: the keys that ebmkit reads in each of its tables, ``module:Class``.
        learns: whether a part has weights, and so its table the tables of ``LEARNING``.
        renamed: keys that had other names in earlier releases, and what they are called now.
    """

    name: str
    hook: str
    base: str
    table: str | None
    aliases: tuple[str, ...]
    checks: str
    claims: str
    handed_as: tuple[str, ...] = ()
    shared: str | None = None
    learns: bool = False
    renamed: Mapping[str, str] = attrs.field(factory=dict)

    def is_asked_for_by(self, lineage: Iterable[str]) -> bool:
        """Whether a slot annotated with a class of this line takes a part of this kind."""
        return any(name in (self.base, *self.handed_as) for name in lineage)


KINDS: Mapping[str, Kind] = {
    each.name: each
    for each in (
        Kind(
            name="energy",
            hook="ebmkit_energies",
            base="ebmkit.core.energy:Energy",
            table="energy",
            aliases=("energies",),
            checks="ebmkit.testing.energies:CHECKS",
            claims="ebmkit.testing.claims:EnergyClaims",
            learns=True,
        ),
        Kind(
            name="generator",
            hook="ebmkit_generators",
            base="ebmkit.core.generator:LatentGenerator",
            table="generator",
            aliases=("generators",),
            checks="ebmkit.testing.generators:CHECKS",
            claims="ebmkit.testing.claims:GeneratorClaims",
            learns=True,
        ),
        Kind(
            name="encoder",
            hook="ebmkit_encoders",
            base="ebmkit.core.encoder:Encoder",
            table="encoder",
            aliases=("encoders",),
            checks="ebmkit.testing.encoders:CHECKS",
            claims="ebmkit.testing.claims:EncoderClaims",
            learns=True,
        ),
        Kind(
            name="sampler",
            hook="ebmkit_samplers",
            base="ebmkit.core.sampler:Sampler",
            table="revision",
            aliases=("samplers",),
            checks="ebmkit.testing.sampling:CHECKS",
            claims="ebmkit.testing.claims:SamplerClaims",
            handed_as=("ebmkit.core.chain:Chain",),
            shared="ebmkit.config.tables:ChainKeys",
        ),
        Kind(
            name="scheduler",
            hook="ebmkit_schedulers",
            base="ebmkit.core.scheduler:CooperativeScheduler",
            table="schedule",
            aliases=("schedulers", "schedule", "schedules"),
            checks="ebmkit.testing.schedulers:CHECKS",
            claims="ebmkit.testing.claims:SchedulerClaims",
        ),
        Kind(
            name="source",
            hook="ebmkit_sources",
            base="ebmkit.core.source:Source",
            table="data",
            aliases=("sources",),
            checks="ebmkit.testing.sources:CHECKS",
            claims="ebmkit.testing.claims:SourceClaims",
            shared="ebmkit.config.tables:DataKeys",
        ),
        Kind(
            name="optimizer",
            hook="ebmkit_optimizers",
            base="ebmkit.core.optimizer:Optimizer",
            table="energy.optimizer",
            aliases=("optimizers",),
            checks="ebmkit.testing.optimizers:CHECKS",
            claims="ebmkit.testing.claims:OptimizerClaims",
            renamed={"gradient_cap": "gradient_clip"},
        ),
        Kind(
            name="metric",
            hook="ebmkit_metrics",
            base="ebmkit.core.metric:Metric",
            table=None,
            aliases=("metrics",),
            checks="ebmkit.testing.metrics:CHECKS",
            claims="ebmkit.testing.claims:MetricClaims",
        ),
        Kind(
            name="features",
            hook="ebmkit_features",
            base="ebmkit.core.features:Features",
            table=None,
            aliases=(),
            checks="ebmkit.testing.features:CHECKS",
            claims="ebmkit.testing.claims:FeaturesClaims",
        ),
        Kind(
            name="tracker",
            hook="ebmkit_trackers",
            base="ebmkit.core.tracker:Tracker",
            table="trackers.mine",
            aliases=("trackers",),
            checks="ebmkit.testing.trackers:CHECKS",
            claims="ebmkit.testing.claims:TrackerClaims",
        ),
        Kind(
            name="backend",
            hook="ebmkit_gradient_backends",
            base="ebmkit.core.backends:GradientBackend",
            table=None,
            aliases=("backends", "gradient-backend", "gradient-backends"),
            checks="ebmkit.testing.backends:CHECKS",
            claims="ebmkit.testing.claims:BackendClaims",
        ),
    )
}
"""By name, in the order in which they are listed."""


def kind_named(word: str) -> Kind | None:
    """The kind that a word of the command line means, plural or not."""
    return next((each for each in KINDS.values() if word in (each.name, *each.aliases)), None)


def kind_of_slot(slot: PartSlot) -> Kind | None:
    """The kind of part that a slot takes, by its annotation; None where that names none."""
    return next((each for each in KINDS.values() if each.is_asked_for_by(slot.lineage)), None)
