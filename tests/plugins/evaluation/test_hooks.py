from __future__ import annotations

from importlib import import_module
from pathlib import Path

import ebmkit_evaluation
from ebmkit.core import Features, Metric
from ebmkit_evaluation.hooks import ebmkit_features, ebmkit_metrics


def offered(reference: object) -> type:
    module, _, name = str(reference).partition(":")
    found: type = getattr(import_module(module), name)
    return found


def test_the_hooks_offer_every_feature_and_metric_of_the_package() -> None:
    found = {offered(each) for each in [*ebmkit_features().values(), *ebmkit_metrics().values()]}
    modules = [
        import_module(f"ebmkit_evaluation.{path.stem}")
        for path in Path(ebmkit_evaluation.__path__[0]).glob("*.py")
    ]
    defined = {
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, (Features, Metric))
        and each.__module__ == module.__name__
    }
    assert found == defined
    assert {name for name, each in ebmkit_features().items() if issubclass(offered(each), Features)} == {
        "inception",
        "lite0",
        "pixels",
    }
