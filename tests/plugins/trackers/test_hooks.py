from __future__ import annotations

import ebmkit_trackers
from ebmkit_trackers import hooks
from tests.plugins.offers import defined, offered


def test_the_hooks_offer_every_tracker_of_the_package() -> None:
    assert offered(hooks) == defined(ebmkit_trackers)
    assert offered(hooks).keys() == {"tracker"}
