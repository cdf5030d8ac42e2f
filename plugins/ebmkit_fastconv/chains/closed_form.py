"""Value and gradient of a stack in closed form: up through the layers, down through their transposes."""

from __future__ import annotations

from typing import NamedTuple, Protocol, final

import torch
from torch import Tensor

from ebmkit.core import Precision, ValueAndGradient
from ebmkit_fastconv.chains.alignment import aligned
from ebmkit_fastconv.maps.choice import Block, Shape, blocks_of, chunk_rows
from ebmkit_fastconv.reading.activations import Activation
from ebmkit_fastconv.reading.stack import Dense, Stack, UnknownOperationError

__all__ = ["ClosedForm", "closed_form"]


class ClosedForm(Protocol):
    """Value and gradient of a stack with the weights that it was made with."""

    quadratic: float

    def __call__(self, x: Tensor) -> ValueAndGradient:
        """``(B, *S) -> (B,), (B, *S)``."""


def closed_form(stack: Stack, x: Tensor, precision: Precision) -> ClosedForm:
    """The gradient of a stack at states like ``x``.

    Raises:
        UnknownOperationError: the stack has no layers.
    """
    if x.ndim not in _IN_ORDER:
        return _Flattened(closed_form(stack, x.reshape(len(x), -1), precision))
    if precision != "fp32" and x.device.type == "cuda":
        stack = aligned(stack)
    blocks = blocks_of(stack, tuple(x.shape[1:]))
    if not blocks or stack.weight is None:
        raise UnknownOperationError("no layers")
    rows = x.ndim == 2  # noqa: PLR2004 - images may come to a linear layer too
    if rows and precision == "fp32" and all(isinstance(block.layer, Dense) for block in blocks):
        return _DenseGradient(stack, blocks, len(x))
    return _StackGradient(stack, blocks, x, precision)


_IN_ORDER = (2, 4)
"""Rows of numbers, and images, whose channels come last in memory."""


@final
class _Flattened:
    """The gradient at states of any shape of a stack that reads them as rows of numbers.

    Args:
        of_rows: of the rows.
    """

    def __init__(self, of_rows: ClosedForm) -> None:
        self._of_rows = of_rows
        self.quadratic = of_rows.quadratic

    def __call__(self, x: Tensor) -> ValueAndGradient:
        """``(B, *S) -> (B,), (B, *S)``."""
        value, gradient = self._of_rows(x.reshape(len(x), -1))
        return ValueAndGradient(value, gradient.view(x.shape))


@final
class _StackGradient:
    r"""$E(x) = a \|x\|^2 + \langle u, h_L \rangle + c$ and its gradient, with the weights of now.

    With $g_L = u \odot \varphi_L'$, each layer gives $g_{l-1} = W_l^T g_l \odot \varphi_{l-1}'$, and
    $\nabla E = 2 a x + W_1^T g_1$. The value costs nothing beside the gradient.

    Args:
        stack: the energy.
        blocks: its layers, at least one.
        x: a state, ``(B, *S)`` float32.
        precision: ``mixed`` goes down in bfloat16, ``bf16`` up as well.
    """

    def __init__(self, stack: Stack, blocks: list[Block], x: Tensor, precision: Precision) -> None:
        assert stack.weight is not None  # noqa: S101 - a stack with layers has one
        self.quadratic, self.offset = stack.quadratic, stack.offset
        self.up = torch.bfloat16 if precision == "bf16" else torch.float32
        self.down = torch.float32 if precision == "fp32" else torch.bfloat16
        self.rows = chunk_rows(blocks, len(x), x.device)
        self.activations = [block.activation for block in blocks]
        self.maps = [block.forward_map(self.rows, self.up) for block in blocks]
        self.transposes = [block.transposed_map(self.rows, self.down) for block in blocks]
        self.biases = [block.bias(self.up) for block in blocks]
        self.weight = _as_features(stack.weight, blocks[-1]).to(self.up)

    def __call__(self, x: Tensor) -> ValueAndGradient:
        """``(B, *S) -> (B,), (B, *S)``."""
        gradient = torch.empty_like(x, memory_format=torch.contiguous_format)
        values = []
        for chunk, out in zip(torch.split(x, self.rows), torch.split(gradient, self.rows), strict=True):
            value, of_network = self._network(chunk)
            values.append(value)
            torch.add(of_network, chunk, alpha=2 * self.quadratic, out=out)
        value = values[0] if len(values) == 1 else torch.cat(values)
        if self.quadratic:
            norm = torch.linalg.vector_norm(x.flatten(1), dim=1, dtype=torch.float64)
            value = value + self.quadratic * norm.square()
        return ValueAndGradient(value + self.offset if self.offset else value, gradient)

    def _network(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.to(self.up)
        if x.ndim == 4:  # noqa: PLR2004 - images
            x = x.contiguous(memory_format=torch.channels_last)
        memories = []
        for layer, bias, activation in zip(self.maps[:-1], self.biases, self.activations, strict=False):
            x, memory = layer.activated(x, bias, activation)
            memories.append(memory.to(self.down))
        gradient, value = self.maps[-1].weighed(x, self.biases[-1], self.activations[-1], self.weight)
        gradient = gradient.to(self.down)
        for transpose, memory, activation in zip(
            reversed(self.transposes[1:]), reversed(memories), reversed(self.activations[:-1]), strict=True
        ):
            gradient = transpose.masked(gradient, memory, activation)
        return value, self.transposes[0](gradient).float()


class _DenseLayer(NamedTuple):
    """One linear layer with what it needs in both directions."""

    bias: Tensor
    matrix: Tensor
    activation: Activation
    remembers_result: bool
    transpose: Tensor


@final
class _DenseGradient:
    """The same for linear layers alone: as few calls as possible, because they are what counts here."""

    def __init__(self, stack: Stack, blocks: list[Block], rows: int) -> None:
        assert stack.weight is not None  # noqa: S101 - a stack with layers has one
        self.quadratic, self.offset = stack.quadratic, stack.offset
        self.layers = [_dense_layer(block) for block in blocks]
        self.weight = stack.weight
        self.weight_rows = stack.weight.expand(rows, -1).contiguous()

    def __call__(self, x: Tensor) -> ValueAndGradient:
        """``(B, n) -> (B,), (B, n)``."""
        result, memories = x, []
        for layer in self.layers:
            a = torch.addmm(layer.bias, result, layer.matrix)
            result = layer.activation(a)
            memories.append(result if layer.remembers_result else a)
        norm = torch.linalg.vecdot(x, x)
        value = torch.addmv(norm, result, self.weight, beta=self.quadratic)
        gradient = self.weight_rows
        for layer in self.layers[:0:-1]:
            gradient = layer.activation.backward(gradient, memories.pop()) @ layer.transpose
        first = self.layers[0]
        gradient = first.activation.backward(gradient, memories.pop())
        gradient = torch.addmm(x, gradient, first.transpose, beta=2 * self.quadratic)
        return ValueAndGradient(value.add_(self.offset) if self.offset else value, gradient)


def _dense_layer(block: Block) -> _DenseLayer:
    weight, activation = block.layer.weight, block.activation
    return _DenseLayer(
        block.bias(weight.dtype),
        weight.T.contiguous(),
        activation,
        activation.remembers_result,
        weight.contiguous(),
    )


def _as_features(weight: Tensor, block: Block) -> Tensor:
    """The weight of the features in the shape and memory of what the last layer writes, one row."""
    shape: Shape = (1, *block.target)
    shaped = weight.detach().reshape(shape)
    return shaped if len(shape) == 2 else shaped.contiguous(memory_format=torch.channels_last)  # noqa: PLR2004
