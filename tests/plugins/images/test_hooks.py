from __future__ import annotations

import ebmkit_images
from ebmkit_images import hooks
from tests.plugins.offers import defined, offered

BASE = "ebmkit_images.source:ImageSource"


def test_the_hooks_offer_every_source_of_the_package_but_what_all_of_them_are() -> None:
    assert {"source": sorted([*offered(hooks)["source"], BASE])} == defined(ebmkit_images)
    assert offered(hooks).keys() == {"source"}


def test_what_is_offered_can_be_imported_from_the_package() -> None:
    found = [getattr(ebmkit_images, name) for name in ebmkit_images.__all__]
    assert sorted(f"{each.__module__}:{each.__name__}" for each in found) == offered(hooks)["source"]
