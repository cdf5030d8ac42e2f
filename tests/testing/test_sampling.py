from __future__ import annotations

from ebmkit.testing import endurance, laws, samplers, sampling, shapes

FAMILIES = (shapes, samplers, endurance, laws)


def test_no_check_of_a_sampler_is_lost_or_takes_the_name_of_another() -> None:
    assert len(sampling.CHECKS) == sum(len(family.CHECKS) for family in FAMILIES)
    for family in FAMILIES:
        assert family.CHECKS.items() <= sampling.CHECKS.items()


def test_what_every_other_check_stands_on_is_looked_at_first_and_laws_last() -> None:
    """After a step that returns no pair nothing else is run."""
    assert next(iter(sampling.CHECKS)) == "shape-and-dtype"
    assert [*sampling.CHECKS][-len(laws.CHECKS) :] == [*laws.CHECKS]
