from __future__ import annotations

import ebmkit_langevin
from ebmkit_langevin import hooks
from tests.plugins.offers import defined, offered


def test_the_hooks_offer_every_sampler_of_the_package() -> None:
    assert offered(hooks) == defined(ebmkit_langevin)
    assert offered(hooks).keys() == {"sampler"}


def test_what_is_offered_can_be_imported_from_the_package() -> None:
    found = [getattr(ebmkit_langevin, name) for name in ebmkit_langevin.__all__]
    assert sorted(f"{each.__module__}:{each.__name__}" for each in found) == offered(hooks)["sampler"]
