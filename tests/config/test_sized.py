from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ebmkit.config.sized import features_called
from ebmkit.registry.discovery import Registry
from tests.conftest import Ebmkit


def test_a_size_of_thousands_of_digits_is_the_name_of_nothing(run_file: RunFile, ebmkit: Ebmkit) -> None:
    outcome = ebmkit("check", run_file("coopnets"), "--set", f"evaluation.features=lite0-{'9' * 5000}")
    assert outcome.code == 4
    assert "no features named 'lite0-999" in outcome.err
    assert "Traceback" not in outcome.err


RunFile = Callable[[str], Path]


def test_features_are_called_by_the_name_in_their_figures(run_file: RunFile, ebmkit: Ebmkit) -> None:
    registry = Registry.discover()
    for name, keywords in (("lite0", {}), ("lite0-224", {"size": 224}), ("pixels", {})):
        component, found = features_called(name, registry)
        assert (component.name, found) == (name.partition("-")[0], keywords)
    file = run_file("coopnets")
    told = {
        "lite0-8": "the size in 'lite0-8' must be >= 32, got 8",
        "pixels-64": "the features 'pixels' have no size",
        "lite-224": "did you mean 'lite0'?",
        "-224": "'-224'",
    }
    for name, said in told.items():
        assert said in ebmkit("check", file, "--set", f"evaluation.features={name}").err
    assert ebmkit("check", file, "--set", "evaluation.features=lite0-224").code == 0
