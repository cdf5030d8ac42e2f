from __future__ import annotations

import ebmkit_fastconv
from ebmkit_fastconv import hooks
from tests.plugins.offers import defined, offered


def test_the_hooks_offer_every_backend_of_the_package() -> None:
    assert offered(hooks) == defined(ebmkit_fastconv)
    assert offered(hooks).keys() == {"backend"}
