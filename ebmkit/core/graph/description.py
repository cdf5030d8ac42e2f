"""What an answer of an energy or a sampler may depend on beside its inputs.

A graph repeats what Python once made of attributes, classes, functions and globals, so it holds as long as
all of them are what they were. They are described by their contents, not by who they are: an energy made anew
with the same settings, as the posterior of every iteration is, has the same description.

Code of the standard library, of torch, numpy and of ebmkit itself is taken to stay as it is; what parameters
and buffers hold is no part of a description, for they are inputs. What cannot be compared (a lock, an open
file, a network hidden in a list) makes ``IndescribableError``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import chain
from typing import Any, final

import attrs
from torch import Tensor, nn

from ebmkit.core.graph.describing import Describer, IndescribableError
from ebmkit.core.torch_private import hook_tables_of_all

__all__ = ["Description", "IndescribableError", "described", "difference", "tensors"]


@final
@attrs.frozen(cache_hash=True)
class Description:
    """Equal as long as the energy answers alike.

    Attributes:
        key: what is compared.
        kept: whatever the key knows by its address, which no other object has as long as it lives.
    """

    key: Hashable
    kept: tuple[object, ...] = attrs.field(eq=False, repr=False)


def described(*parts: object) -> Description:
    """All that the answers of some energies and samplers depend on, but the contents of their weights.

    Raises:
        IndescribableError: part of it cannot be compared, or a hook is registered, which is to be called at
            every evaluation.
    """
    for name, table in hook_tables_of_all().items():
        if table:
            raise IndescribableError(f"hooks of all modules are registered ({name})")
    describer = Describer()
    return Description(tuple(map(describer.root, parts)), tuple(describer.kept))


def difference(one: Description, other: Description) -> str:
    """The name of the first thing that differs."""
    return _first_difference(one.key, other.key, "something of theirs")


def _first_difference(one: Any, other: Any, name: str) -> str:
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        name = one[0] if one and isinstance(one[0], str) and one[0] else name
        for first, second in zip(one, other, strict=True):
            if first != second:
                return _first_difference(first, second, name)
    return name


def tensors(energy: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers by name, shared ones once."""
    seen: set[int] = set()
    for prefix, module in energy.named_modules():
        for name, value in chain(module._parameters.items(), module._buffers.items()):  # noqa: SLF001
            if value is not None and id(value) not in seen:
                seen.add(id(value))
                yield f"{prefix}.{name}" if prefix else name, value
