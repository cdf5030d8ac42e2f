"""The text of an energy while it is being written: what its constructor says, what its forward pass says."""

from __future__ import annotations

import math
from random import Random


class Draft:
    """Statements about ``h``, whose shape without the rows is known after each.

    Args:
        draw: the choices; the text is a pure function of them.
        shape: of a state, without the rows.
        rows: of the states.
        budget: multiplications of one forward pass of all rows.
    """

    def __init__(self, draw: Random, shape: tuple[int, ...], rows: int, budget: float) -> None:
        self.draw, self.shape, self.rows, self.budget = draw, shape, rows, budget
        self.init: list[str] = []
        self.body: list[str] = []
        self.kinked = False
        self.evaluated = False
        """Whether something in it has another meaning in training mode."""
        self.layers: list[str] = []
        """Names of ``nn.Conv2d`` and ``nn.Linear``, which mutations and hooks look for."""
        self._names = 0

    def name(self, stem: str) -> str:
        """A name that is not taken."""
        self._names += 1
        return f"{stem}{self._names}"

    def layer(self, text: str, stem: str = "l") -> str:
        """A module of torch under a name of its own, filled with numbers of the case."""
        name = self.name(stem)
        self.init.append(f"self.{name} = kit.layer({text}, D)")
        return f"self.{name}"

    def say(self, *lines: str) -> None:
        """Lines of the forward pass."""
        self.body.extend(lines)

    def chance(self, share: float) -> bool:
        """True that often."""
        return self.draw.random() < share

    def pay(self, multiplications: float) -> bool:
        """Whether that many are left, which are then spent."""
        if multiplications * self.rows > self.budget:
            return False
        self.budget -= multiplications * self.rows
        return True

    # Tensors, made in one of the ways in which people make them.

    def tensor(self, shape: tuple[int, ...], scale: float, *, of_x: bool = False) -> str:
        """An expression for a tensor of weights, ``of_x`` one that depends on h where there is one row."""
        numbers = f"kit.numbers({_sizes(shape)}, scale={scale:.4g}, dtype=D)"
        ways = [
            self._parameter,
            self._parameter,
            self._buffer,
            self._attribute,
            self._computed,
            self._transposed,
        ]
        ways += [self._column, self._sliced, self._expanded, self._channels_last, self._listed]
        if of_x and self.rows == 1:
            ways += [self._of_x] * 3
        return self.draw.choice(ways)(shape, scale, numbers)

    def _stored(self, stem: str, text: str) -> str:
        name = self.name(stem)
        self.init.append(f"self.{name} = {text}")
        return f"self.{name}"

    def _parameter(self, shape: tuple[int, ...], scale: float, numbers: str) -> str:
        return self._stored("w", f"nn.Parameter({numbers})")

    def _buffer(self, shape: tuple[int, ...], scale: float, numbers: str) -> str:
        name = self.name("u")
        self.init.append(f"self.register_buffer({name!r}, {numbers})")
        return f"self.{name}"

    def _attribute(self, shape: tuple[int, ...], scale: float, numbers: str) -> str:
        return self._stored("t", numbers)

    def _listed(self, shape: tuple[int, ...], scale: float, numbers: str) -> str:
        return self._stored("many", f"[{numbers}]") + "[0]"

    def _computed(self, shape: tuple[int, ...], scale: float, numbers: str) -> str:
        weight = self._parameter(shape, scale, numbers)
        if len(shape) > 1 and self.chance(0.5):  # standardised
            dims = tuple(range(1, len(shape)))
            return f"(({weight} - {weight}.mean({dims}, keepdim=True)) * {self._stored('g', '1.5')})"
        return self.draw.choice(
            [f"({weight} * 0.5)", f"{weight}.tanh()", f"(-{weight})", f"{weight}.detach()"]
        )

    def _transposed(self, shape: tuple[int, ...], scale: float, numbers: str) -> str:
        if len(shape) < 2:
            return self._column(shape, scale, numbers)
        turned = (shape[1], shape[0], *shape[2:])
        numbers = f"kit.numbers({_sizes(turned)}, scale={scale:.4g}, dtype=D)"
        if self.chance(0.5):
            return self._stored("w", f"nn.Parameter({numbers}.transpose(0, 1))")
        return f"{self._parameter(turned, scale, numbers)}.transpose(0, 1)"

    def _column(self, shape: tuple[int, ...], scale: float, numbers: str) -> str:
        table = f"kit.numbers({_sizes((*shape, 3))}, scale={scale:.4g}, dtype=D)"
        if self.chance(0.5):
            return self._stored("w", f"nn.Parameter({table}[..., 1])")
        return f"{self._parameter(shape, scale, table)}[..., 1]"

    def _sliced(self, shape: tuple[int, ...], scale: float, numbers: str) -> str:
        longer = f"kit.numbers({_sizes((2 * shape[0], *shape[1:]))}, scale={scale:.4g}, dtype=D)"
        part = self.draw.choice(["[::2]", f"[{shape[0]}:]", f"[1:{shape[0] + 1}]"])
        return f"{self._parameter(shape, scale, longer)}{part}"

    def _expanded(self, shape: tuple[int, ...], scale: float, numbers: str) -> str:
        one = (
            f"kit.numbers({_sizes((*[1] * (len(shape) - 1), shape[-1]) if len(shape) > 1 else (1,))}, "
            f"scale={scale:.4g}, dtype=D)"
        )
        return f"{self._parameter(shape, scale, one)}.expand({_sizes(shape)})"

    def _channels_last(self, shape: tuple[int, ...], scale: float, numbers: str) -> str:
        if len(shape) != 4:
            return self._attribute(shape, scale, numbers)
        return self._stored("w", f"nn.Parameter({numbers}.contiguous(memory_format=torch.channels_last))")

    def _of_x(self, shape: tuple[int, ...], scale: float, numbers: str) -> str:
        weight = self._parameter(shape, scale, numbers)
        return f"({weight} * (1 + {self.draw.choice(['h.mean().tanh()', 'h.square().mean()', 'x.std()'])}))"


def _sizes(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def fan(shape: tuple[int, ...]) -> float:
    """The scale that keeps the size of what goes through."""
    return 1 / math.sqrt(math.prod(shape[1:]) if len(shape) > 1 else 25)
