"""Names of children and buffers are the checkpoint format; states of earlier releases are still read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from torch import nn

__all__ = ["before_loading", "renamed"]

Convert: TypeAlias = Callable[[dict[str, Any], str], None]
"""Changes a state in place; the keys of the module that loads it begin with the prefix."""


def before_loading(module: nn.Module, convert: Convert) -> None:
    """Let ``convert`` see every state that ``module`` is about to load, alone or inside another module.

    Args:
        module: whose states come from earlier releases too.
        convert: not a method of the module, whose copies would convert by the original.
    """
    module.register_load_state_dict_pre_hook(partial(_converted, convert))  # type: ignore[no-untyped-call]


def renamed(module: nn.Module, names: Mapping[str, str]) -> None:
    """Let ``module`` load the states of releases in which its children or buffers had other names.

    Args:
        module: whose names have changed.
        names: the former name of each child or buffer, and the present one; a dot leads into a child.

    Examples:
        >>> import torch
        >>> model = nn.ModuleDict({"scale": nn.Linear(1, 1, bias=False)})
        >>> renamed(model, {"_scale": "scale"})
        >>> model.load_state_dict({"_scale.weight": torch.ones(1, 1)})
        <All keys matched successfully>
    """
    before_loading(module, partial(_rename, names))


def _converted(convert: Convert, module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    """As torch calls such a hook."""
    del module
    convert(state, prefix)


def _rename(names: Mapping[str, str], state: dict[str, Any], prefix: str) -> None:
    """Give every entry under a former name its present one."""
    for former, present in names.items():
        for key in [key for key in state if key == prefix + former or key.startswith(f"{prefix}{former}.")]:
            state[prefix + present + key.removeprefix(prefix + former)] = state.pop(key)
