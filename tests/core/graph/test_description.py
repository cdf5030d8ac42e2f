"""What is described together, what differs, and which tensors are inputs instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn
from torch.nn.modules import module as torch_module

from ebmkit.core.graph.description import IndescribableError, described, difference, tensors
from tests.core.graph.rich_energy import Rich, hook


def test_a_difference_has_a_name(energy: Rich) -> None:
    before = described(energy)
    energy.settings.beta.append(3.0)
    assert difference(before, described(energy)) == "settings"


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(2, 2)
        self.two = nn.Linear(2, 2)
        self.two.weight = self.one.weight
        self.register_buffer("nothing", None)


def test_shared_weights_are_counted_once() -> None:
    assert [name for name, _ in tensors(Shared())] == ["one.weight", "one.bias", "two.bias"]


@pytest.mark.parametrize(
    "register",
    [
        torch_module.register_module_forward_hook,
        torch_module.register_module_forward_pre_hook,
        torch_module.register_module_full_backward_hook,
        torch_module.register_module_full_backward_pre_hook,
    ],
)
def test_hooks_of_all_modules_are_seen(register: Callable[..., Any], energy: Rich) -> None:
    handle = register(hook)
    try:
        with pytest.raises(IndescribableError, match="hooks of all modules are registered"):
            described(energy)
    finally:
        handle.remove()
    described(energy)
