"""Classes of labelled data as the conditions of what is asked of a trained run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ebmkit.core import ConditionalGenerator, CooperativeScheduler, classes_in_turn, takes_conditions
from ebmkit.errors import ConfigError
from ebmkit.messages.quoting import quoted, shortened
from ebmkit.messages.spelling import did_you_mean

__all__ = ["class_named", "conditions", "of_class", "plain_generator"]

_DIGITS = 18
"""Of the number of a class: longer numbers are none."""


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
    if word.isdecimal() and len(word) <= _DIGITS and int(word) < len(classes):
        return int(word)
    hint = did_you_mean(word, classes)
    message = f"run {of} knows no class {quoted(word)}; there are: {shortened(', '.join(classes), 200)}"
    raise ConfigError(message + (f"; {hint}" if hint else ""))


def conditions(classes: Sequence[str], wanted: int | None, *, first: int, count: int) -> Tensor | None:
    """The classes of the rows ``first`` .. ``first + count`` - 1, ``(count,)`` int64; None without classes.

    Args:
        classes: all names.
        wanted: the class of every row; None takes all classes in turn.
        first: row.
        count: how many rows.
    """
    rows = classes_in_turn(len(classes), first=first, count=count)
    return rows if rows is None or wanted is None else torch.full_like(rows, wanted)


def of_class(
    schedule: CooperativeScheduler, classes: Sequence[str], word: str | None, *, of: str
) -> CooperativeScheduler:
    """The schedule with its conditional parts given one class.

    Args:
        schedule: trained.
        classes: of the data it was trained on.
        word: the name of the class or its number; None leaves the parts as they are.
        of: what the run is called, for the message.

    Raises:
        ConfigError: there is no such class, or the parts take none.
    """
    if word is None:
        return schedule
    known = classes if takes_conditions(schedule) else ()
    return schedule.given(torch.tensor([class_named(word, known, of=of)]))


def plain_generator(
    schedule: CooperativeScheduler, classes: Sequence[str], word: str | None, *, of: str
) -> CooperativeScheduler:
    """As ``of_class``, for what needs a generator of x alone: of a conditional one a class has to be named.

    Raises:
        ConfigError: no class is named, there is no such class, or the parts take none.
    """
    if word is None and isinstance(schedule.generator, ConditionalGenerator):
        there = shortened(", ".join(classes), 200)
        raise ConfigError(
            f"the generator of run {of} draws classes: name one with --condition; there are: {there}"
        )
    return of_class(schedule, classes, word, of=of)
