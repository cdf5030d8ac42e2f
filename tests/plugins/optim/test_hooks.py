from __future__ import annotations

import ebmkit_optim
from ebmkit_optim import hooks
from tests.plugins.offers import defined, offered


def test_the_hooks_offer_every_optimizer_of_the_package() -> None:
    assert offered(hooks) == defined(ebmkit_optim)
    assert offered(hooks).keys() == {"optimizer"}


def test_what_is_offered_can_be_imported_from_the_package() -> None:
    found = [getattr(ebmkit_optim, name) for name in ebmkit_optim.__all__]
    assert sorted(f"{each.__module__}:{each.__name__}" for each in found) == offered(hooks)["optimizer"]
