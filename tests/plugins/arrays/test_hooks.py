from __future__ import annotations

import ebmkit_arrays
from ebmkit_arrays import hooks
from tests.plugins.offers import defined, offered

BASE = "ebmkit_arrays.rows:Rows"


def test_the_hooks_offer_every_source_of_the_package_but_what_all_of_them_are() -> None:
    assert {"source": sorted([*offered(hooks)["source"], BASE])} == defined(ebmkit_arrays)
    assert offered(hooks).keys() == {"source"}
