"""From a seed to a case: ``case(7)`` is the same text on every machine, for ever."""

from __future__ import annotations

from random import Random

from tests.hostile import blocks, heads
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
    rows = draw.choice([1, 2, 2, 16])
    dtype = draw.choices(["float32", "float64", "bfloat16"], [12, 1, 1])[0]
    shape, wide = _shape(draw, rows)
    draft = Draft(draw, shape, rows, budget=4e7 if small else 2.5e8 if wide else 1e8)
    _write(draft, wide=wide)
    state = _state(draw, rows, shape)
    lines = script(draw, draft, state)
    source = _PRELUDE.format(dtype=dtype, init=_indented(draft.init, 8), body=_indented(draft.body, 8))
    name = f"seed_{seed}{'_small' if small else ''}"
    return Case(name, source + _indented(lines, 4) + "\n", kinked=draft.kinked, coarse=dtype == "bfloat16")


def _shape(draw: Random, rows: int) -> tuple[tuple[int, ...], bool]:
    """Of a state, and whether wide convolutions shall come."""
    kind = draw.choices(["image", "wide", "vector", "sequence", "video", "scalar"], [5, 5, 4, 1, 1, 0.5])[0]
    if kind == "wide":
        side = 32 if rows == 1 else 24 if rows == 2 else 16
        return (draw.choice([1, 3, 64]), side, side), True
    return {
        "image": lambda: (draw.choice([1, 2, 3, 8]), *draw.choice([(8, 8), (12, 12), (9, 14), (16, 16), (28, 28)])),
        "vector": lambda: (draw.choice([1, 2, 6, 64]),),
        "sequence": lambda: (draw.choice([1, 3]), draw.choice([8, 64])),
        "video": lambda: (draw.choice([1, 2]), 3, 8, 8),
        "scalar": lambda: (),
    }[kind](), False


def _write(draft: Draft, *, wide: bool) -> None:
    """The forward pass."""
    shape, draw = draft.shape, draft.draw
    if not shape:
        draft.say("h = h[:, None]")
        draft.shape = (1,)
    if len(shape) in (2, 4) and draft.chance(0.4) or len(shape) == 3 and not wide and draft.chance(0.15):
        draft.say("h = h.flatten(1)")
        draft.shape = (_product(shape),)
    plain = draft.chance(0.35)  # a stack such as fast paths are made for, with one thing or none that is not
    if wide:
        _stem(draft)
    for _ in range(draw.randint(1, 4)):
        layer = blocks.linear if len(draft.shape) == 1 else blocks.convolution
        layer(draft)
        if draft.chance(0.8):
            blocks.activation(draft)
        if draft.chance(0.12 if plain else 0.5):
            draw.choice([blocks.in_place, blocks.odd, blocks.norm, blocks.mixing, blocks.styled, blocks.transposed, blocks.dropout, blocks.odd])(draft)
    heads.head(draft)
    heads.tail(draft, shape)


def _stem(draft: Draft) -> None:
    """Up to 64 channels."""
    if draft.shape[0] == 64:
        return
    name = draft.layer(f"nn.Conv2d({draft.shape[0]}, 64, 3, padding=1)")
    draft.layers.append(name)
    draft.say(f"h = {name}(h)")
    draft.shape = (64, *draft.shape[1:])
    if draft.chance(0.8):
        blocks.activation(draft)


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
        ways += [f"{plain}.contiguous(memory_format=torch.channels_last)", f"kit.numbers({rows}, {shape[0]}, {shape[2]}, {shape[1]}, dtype=D).transpose(2, 3)"]
    return draw.choice(ways)


def _product(shape: tuple[int, ...]) -> int:
    result = 1
    for each in shape:
        result *= each
    return result


def _indented(lines: list[str], by: int) -> str:
    return "\n".join(" " * by + line for line in lines)
