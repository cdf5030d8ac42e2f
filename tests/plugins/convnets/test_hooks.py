from __future__ import annotations

import ebmkit_convnets
from ebmkit_convnets import hooks
from tests.plugins.offers import defined, offered


def test_the_hooks_offer_every_energy_and_generator_of_the_package() -> None:
    assert offered(hooks) == defined(ebmkit_convnets)
    assert offered(hooks).keys() == {"energy", "generator"}
