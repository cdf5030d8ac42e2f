"""The records of the kinds of part lead to what they name, and each word means one of them."""

from __future__ import annotations

import inspect
from collections import Counter

import pytest

from ebmkit.core import Chain, ConditionalEnergy, Energy, LatentGenerator, Sampler
from ebmkit.parameters.signature import PartSlot, lineage_of
from ebmkit.registry.discovery import imported
from ebmkit.registry.kinds import KINDS, Kind, kind_named, kind_of_slot
from ebmkit.testing.claims import Claims
from ebmkit_langevin.langevin import Langevin


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_a_record_names_is_there(kind: Kind) -> None:
    base, claims, checks = (imported(place) for place in (kind.base, kind.claims, kind.checks))
    assert inspect.isabstract(base)
    assert f"{base.__module__}:{base.__qualname__}" == kind.base  # where it is defined
    assert issubclass(claims, Claims)
    assert claims.kind == kind.name
    assert len(checks) >= 5
    for place in (*kind.handed_as, *([kind.shared] if kind.shared else [])):
        assert inspect.isclass(imported(place))


def test_no_word_of_the_command_line_means_two_kinds() -> None:
    words = Counter(word for kind in KINDS.values() for word in (kind.name, *kind.aliases))
    assert words.most_common(1)[0][1] == 1
    assert {word: kind_named(word) for word in words} == {
        word: kind for kind in KINDS.values() for word in (kind.name, *kind.aliases)
    }
    assert (kind_named("enregy"), kind_named("")) == (None, None)


def test_no_two_kinds_share_a_hook_a_base_or_a_table() -> None:
    for field in ("hook", "base", "table", "checks", "claims"):
        named = [value for kind in KINDS.values() if (value := getattr(kind, field)) is not None]
        assert len({*named}) == len(named), field


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (Energy, "energy"),
        (ConditionalEnergy, "energy"),
        (LatentGenerator, "generator"),
        (Sampler, "sampler"),
        (Langevin, "sampler"),
        (Chain, "sampler"),  # as which schedules are handed a sampler
        (int, None),
        (Kind, None),
    ],
)
def test_a_slot_takes_the_kind_that_its_annotation_is_derived_from(
    annotation: type, kind: str | None
) -> None:
    found = kind_of_slot(PartSlot("anything", required=True, lineage=lineage_of(annotation)))
    assert (found.name if found else None) == kind


def test_a_slot_without_an_annotation_takes_none() -> None:
    assert kind_of_slot(PartSlot("energy", required=True)) is None
