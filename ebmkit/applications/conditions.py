"""Classes of labelled data as the conditions of what is asked of a trained run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ebmkit.core import ConditionalEnergy, ConditionalGenerator, CooperativeScheduler
from ebmkit.errors import ConfigError
from ebmkit.messages.quoting import quoted, shortened
from ebmkit.messages.spelling import did_you_mean

__all__ = ["class_named", "conditions", "takes_conditions"]


def class_named(word: str, classes: Sequence[str], *, of: str) -> int:
    """The number of a class.

    Args:
        word: its name, or its number where no class is called so.
        classes: all names, in order.
        of: what the run is called, for the message.

    Raises:
        ConfigError: there is no such class, or the data had none.

    Examples:
        >>> class_named("rose", ("daisy", "rose"), of="flowers"), class_named("0", ("daisy", "rose"), of="")
        (1, 0)
    """
    if not classes:
        raise ConfigError(f"run {of} has no classes to draw: its data had none, or its parts take none")
    if word in classes:
        return list(classes).index(word)
    if word.isdecimal() and int(word) < len(classes):
        return int(word)
    hint = did_you_mean(word, classes)
    message = f"run {of} knows no class {quoted(word)}; there are: {shortened(', '.join(classes), 200)}"
    raise ConfigError(message + (f"; {hint}" if hint else ""))


def takes_conditions(schedule: CooperativeScheduler) -> bool:
    """Whether a part of it is a conditional one."""
    return any(isinstance(each, ConditionalEnergy | ConditionalGenerator) for each in schedule.children())


def conditions(classes: Sequence[str], wanted: int | None, *, first: int, count: int) -> Tensor | None:
    """The classes of the rows ``first`` .. ``first + count`` - 1, ``(count,)`` int64; None without classes.

    Args:
        classes: all names.
        wanted: the class of every row; None takes all classes in turn.
        first: row.
        count: how many rows.
    """
    if not classes:
        return None
    rows = torch.arange(first, first + count)
    return rows % len(classes) if wanted is None else torch.full_like(rows, wanted)
