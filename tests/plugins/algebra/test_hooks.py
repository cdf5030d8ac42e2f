from __future__ import annotations

import ebmkit_algebra
from ebmkit.core import Mixture, Negated, Sum, Tempered
from ebmkit_algebra import hooks
from tests.plugins.offers import defined, offered

OF_THE_CORE = [f"ebmkit.core.algebra:{each.__name__}" for each in (Mixture, Negated, Sum, Tempered)]


def test_the_hooks_offer_every_energy_and_schedule_of_the_package_and_the_algebra_of_the_core() -> None:
    found, own = offered(hooks), defined(ebmkit_algebra)
    assert found == {"energy": sorted([*own["energy"], *OF_THE_CORE]), "scheduler": own["scheduler"]}
    assert [each.__module__ for each in (Mixture, Negated, Sum, Tempered)] == ["ebmkit.core.algebra"] * 4


def test_what_is_its_own_can_be_imported_from_the_package() -> None:
    found = [getattr(ebmkit_algebra, name) for name in ebmkit_algebra.__all__]
    own = defined(ebmkit_algebra)
    assert [f"{each.__module__}:{each.__name__}" for each in found] == [*own["energy"], *own["scheduler"]]
