"""What a case can have changed beside its answers: the user's objects, and the process."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as of_modules

PLAIN = (bool, int, float, str, bytes, type(None), torch.dtype, torch.Size, torch.device)

_TABLES = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def objects(watched: dict[str, object]) -> dict[str, object]:
    """By path, every tensor and a description of everything else that hangs on some objects."""
    return {path: value for name, each in watched.items() for path, value in _seen(name, each, 0)}


def _seen(path: str, value: object, depth: int) -> Iterator[tuple[str, object]]:
    yield f"{path}: type", type(value).__name__
    if isinstance(value, Tensor):
        yield path, value.detach().clone()
        yield f"{path}: kind", (value.requires_grad, value.grad is None, tuple(value.shape), value.stride())
    elif isinstance(value, PLAIN):
        yield path, value if isinstance(value, (bool, int, float, str, type(None))) else str(value)
    elif depth > 6:
        return
    elif isinstance(value, nn.Module):
        for name in _TABLES:
            yield f"{path}.{name}: length", len(vars(value)[name])
        for name, each in vars(value).items():
            if name not in ("_parameters", "_buffers", "_modules") and not name.startswith("_"):
                yield from _seen(f"{path}.{name}", each, depth + 1)
        for table in ("_parameters", "_buffers", "_modules"):
            for name, each in vars(value)[table].items():
                yield from _seen(f"{path}.{name}", each, depth + 1)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _seen(f"{path}[{name!r}]", each, depth + 1)
    elif isinstance(value, (list, tuple, set)):
        # How often an energy is called is nobody's promise; what it finds in its own lists is.
        yield f"{path}: types", sorted({type(each).__name__ for each in value})


def process() -> dict[str, object]:
    """What of the process everybody's code depends on."""
    tables = {
        name: len(table)
        for name, table in vars(of_modules).items()
        if name.startswith("_global_") and isinstance(table, dict)
    }
    return {
        "nn.Module.__call__": nn.Module.__call__,
        "nn.Module.__getattr__": nn.Module.__getattr__,
        "nn.Module.__setattr__": nn.Module.__setattr__,
        "torch.conv2d": torch.conv2d,
        "functional.conv2d": nn.functional.conv2d,
        "functional.linear": nn.functional.linear,
        "Tensor.__add__": Tensor.__add__,
        "global hooks": tables,
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "default dtype": torch.get_default_dtype(),
        "function modes": torch._C._len_torch_function_stack(),
        "dispatch modes": torch._C._len_torch_dispatch_stack(),
        "threads": torch.get_num_threads(),
        "oneDNN": torch.backends.mkldnn.enabled,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def randomness() -> dict[str, str]:
    """Where the generators of the process stand: ebmkit has its own."""
    state = np.random.get_state()
    return {
        "torch's generator": hashlib.sha1(
            torch.get_rng_state().numpy().tobytes(), usedforsecurity=False
        ).hexdigest(),
        "Python's generator": hashlib.sha1(
            repr(random.getstate()).encode(), usedforsecurity=False
        ).hexdigest(),
        "numpy's generator": hashlib.sha1(repr(state).encode(), usedforsecurity=False).hexdigest(),
    }
