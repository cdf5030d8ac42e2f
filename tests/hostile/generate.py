"""From a seed to a case: ``case(7)`` is the same text on every machine, for ever."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from tests.hostile import activations, blocks, heads, layers
from tests.hostile.draft import Draft
from tests.hostile.driver import Case
from tests.hostile.script import script

__all__ = ["case"]

_PRELUDE = """\
import copy
import functools
import pickle

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

GAIN = 1.5
D = torch.{dtype}


class Halved(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h):
        return h.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 0.5


class Doubled(nn.Module):
    def forward(self, weight):
        return weight * 2


def changed(net, change):
    with torch.no_grad():
        for p in net.parameters():
            change(p)


def stepped(net, kit):
    wanted = [p for p in net.parameters() if p.requires_grad]
    for p in wanted:
        p.grad = torch.ones_like(p)
    torch.optim.SGD(wanted, lr=0.1, fused=True).step()
    for p in wanted:
        p.grad = None


class Net(nn.Module):
    gain = 1.5

    def __init__(self, kit):
        super().__init__()
        self.beta, self.gains, self.settings, self.turns = 1.5, [1.5, 2.0], {{"scale": 1.5}}, 2
        self.register_buffer("shift", kit.numbers(1, dtype=D))
        self.temperature = kit.numbers(1, dtype=D).exp()
{init}

    def forward(self, x):
        h = x
{body}
        return value

    def energy(self, x):
        return self(x)


def run(kit):
"""


def case(seed: int, *, small: bool = False) -> Case:
    """A case.

    Args:
        seed: any integer.
        small: only nets that take a few milliseconds.
    """
    draw = Random(seed)
    kind = draw.choices(["stack", "wide", "wild"], [4, 3, 3])[0]
    rows = draw.choice([1, 2, 16] if kind == "wide" else [1, 2, 2, 16])
    dtype = draw.choices(["float32", "float64", "bfloat16"], [16, 1, 1])[0]
    shape = _WIDE[rows](draw) if kind == "wide" else _shape(draw)
    draft = Draft(draw, shape, rows, budget=_BUDGETS[kind] / (3 if small else 1))
    {"stack": _stack, "wide": _wide, "wild": _wild}[kind](draft)
    state = _state(draw, rows, shape)
    lines = script(draw, draft, state, kind=kind, graph=not small)
    source = _PRELUDE.format(dtype=dtype, init=_indented(draft.init, 8), body=_indented(draft.body, 8))
    name = f"seed_{seed}{'_small' if small else ''}"
    return Case(
        name,
        source + _indented(lines, 4) + "\n",
        kinked=draft.kinked,
        coarse=dtype == "bfloat16",
        generated=True,
    )


_BUDGETS = {"stack": 2e7, "wide": 1.5e8, "wild": 2e7}
"""Multiplications of one forward pass."""

_WIDE: dict[int, Callable[[Random], tuple[int, ...]]] = {
    1: lambda draw: (draw.choice([1, 3, 64]), 32, 32),
    2: lambda draw: (draw.choice([3, 64]), *draw.choice([(24, 24), (32, 32)])),
    16: lambda draw: (draw.choice([1, 3, 64]), *draw.choice([(8, 8), (16, 16)])),
}
"""By rows, images that have at least 64 tiles of Winograd's, 256 with many rows."""


def _shape(draw: Random) -> tuple[int, ...]:
    """Of a state."""
    kind = draw.choices(["image", "vector", "sequence", "video", "scalar"], [5, 5, 1, 1, 0.5])[0]
    return {
        "image": lambda: (
            draw.choice([1, 2, 3, 8]),
            *draw.choice([(8, 8), (12, 12), (9, 14), (16, 16), (28, 28)]),
        ),
        "vector": lambda: (draw.choice([1, 2, 6, 64]),),
        "sequence": lambda: (draw.choice([1, 3]), draw.choice([8, 64])),
        "video": lambda: (draw.choice([1, 2]), 3, 8, 8),
        "scalar": lambda: (),
    }[kind]()


def _stack(draft: Draft) -> None:
    """A stack that a closed form is known for, with one thing in it that is not, or none."""
    shape, draw = draft.shape, draft.draw
    _entered(draft)
    depth = draw.randint(1, 3)
    twisted = draw.choice([None, *range(depth), *range(depth)])
    for number in range(depth):
        layers.plain_layer(draft)
        if number == twisted:
            draw.choice([blocks.silent_activation, blocks.silent_activation, *_TWISTS])(draft)
        else:
            activations.plain_activation(draft)
    (heads.plain_head if draft.chance(0.8) else heads.head)(draft)
    heads.tail(draft, shape)


def _wide(draft: Draft) -> None:
    """Wide convolutions, one of them made or used in another way than most."""
    shape, draw = draft.shape, draft.draw
    if shape[0] < 64:
        layers.plain_layer(draft, outputs=64)
        activations.plain_activation(draft)
    for _ in range(draw.randint(1, 2)):
        (
            layers.styled
            if draft.chance(0.2)
            else layers.transposed
            if draft.chance(0.15)
            else layers.convolution
        )(draft)
        (activations.activation if draft.chance(0.6) else activations.plain_activation)(draft)
        if draft.chance(0.3):
            draw.choice(_TWISTS)(draft)
    (heads.plain_head if draft.chance(0.5) else heads.head)(draft)
    heads.tail(draft, shape)


def _wild(draft: Draft) -> None:
    """Anything after anything."""
    shape, draw = draft.shape, draft.draw
    _entered(draft)
    for _ in range(draw.randint(1, 4)):
        (layers.linear if len(draft.shape) == 1 else layers.convolution)(draft)
        if draft.chance(0.8):
            activations.activation(draft)
        if draft.chance(0.5):
            draw.choice(_TWISTS)(draft)
    heads.head(draft)
    heads.tail(draft, shape)


_TWISTS = [
    blocks.in_place,
    blocks.odd,
    blocks.odd,
    blocks.norm,
    blocks.mixing,
    layers.styled,
    layers.transposed,
    blocks.dropout,
    layers.linear,
    layers.convolution,
]


def _entered(draft: Draft) -> None:
    """Vectors of scalars; of images and others, sometimes."""
    shape = draft.shape
    if not shape:
        draft.say("h = h[:, None]")
        draft.shape = (1,)
    elif len(shape) > 1 and draft.chance(0.2 if len(shape) == 3 else 0.5):
        draft.say(
            draft.draw.choice(["h = h.flatten(1)", "h = h.reshape(len(h), -1)", "h = torch.flatten(h, 1)"])
        )
        draft.shape = (math.prod(shape),)


def _state(draw: Random, rows: int, shape: tuple[int, ...]) -> str:
    """Where chains start, lying in memory in one of the ways of doing so."""
    sizes = ", ".join(map(str, (rows, *shape)))
    plain = f"kit.numbers({sizes}, dtype=D)"
    ways = [plain] * 6 + [
        f"{plain}.requires_grad_()",
        f"kit.numbers({', '.join(map(str, (2 * rows, *shape)))}, dtype=D)[::2]",
        f"kit.numbers({', '.join(map(str, (1, *shape)))}, dtype=D).expand({sizes})",
        f"kit.numbers({sizes}, 2, dtype=D)[..., 1]",
        f"nn.Parameter({plain})",
        f"{plain}.to(torch.float64).to({plain}.dtype)",
        f"torch.zeros_like({plain})",
    ]
    if len(shape) == 3:
        ways += [
            f"{plain}.contiguous(memory_format=torch.channels_last)",
            f"kit.numbers({rows}, {shape[0]}, {shape[2]}, {shape[1]}, dtype=D).transpose(2, 3)",
        ]
    return draw.choice(ways)


def _indented(lines: list[str], by: int) -> str:
    return "\n".join(" " * by + line for line in lines)
