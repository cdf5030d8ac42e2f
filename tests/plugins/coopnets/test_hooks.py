from __future__ import annotations

import ebmkit_coopnets
from ebmkit_coopnets import hooks
from tests.plugins.offers import defined, offered


def test_the_hooks_offer_every_schedule_of_the_package() -> None:
    assert offered(hooks) == defined(ebmkit_coopnets)
    assert offered(hooks).keys() == {"scheduler"}
