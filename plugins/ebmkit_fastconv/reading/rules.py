"""How torch's operations act on what is known of an energy: one rule for each operation that has one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import torch
from torch import Tensor

from ebmkit_fastconv.reading.activations import Activation, activation_named
from ebmkit_fastconv.reading.stack import (
    Convolution,
    Dense,
    Features,
    Squares,
    Stack,
    Symbol,
    UnknownOperationError,
)

__all__ = ["RULES", "Rule"]

Rule = Callable[..., Symbol]
"""The arguments of an operation of ATen, symbols in place of what depends on x, to the symbol of its result.

A rule may assume nothing about its arguments. Whatever it raises means that the energy is not read.
"""

_IMAGES = 3
"""Sides of an image without the batch."""

_ALL = 2**63 - 1
"""Where a slice ends that names no end."""


def _features(symbol: object) -> Features:
    if not isinstance(symbol, Features):
        raise UnknownOperationError(f"features are expected, not {type(symbol).__name__}")
    return symbol


def _constant(value: object, *, ndim: int) -> Tensor:
    """A weight: a plain float32 tensor that does not depend on x, in memory of its own order."""
    if not isinstance(value, Tensor) or value.ndim != ndim or value.dtype != torch.float32:
        raise UnknownOperationError(f"a float32 tensor of {ndim} dimensions is expected")
    return value.detach()


def _bias(value: object, size: int) -> Tensor | None:
    if value is None:
        return None
    bias = _constant(value, ndim=1)
    if len(bias) != size:
        raise UnknownOperationError("a bias that is repeated")
    return bias.contiguous()


def _one(sides: Sequence[int]) -> int:
    """The number that both sides repeat."""
    numbers = set(sides)
    if len(numbers) != 1:
        raise UnknownOperationError(f"unequal sides {sides}")
    return int(numbers.pop())


def _convolution(  # noqa: PLR0917 - the signature of torch's operation
    x: object,
    weight: object,
    bias: object,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Features:
    del output_padding
    features, kernel = _features(x), _constant(weight, ndim=4)
    if transposed or groups != 1 or _one(dilation) != 1 or kernel.shape[2] != kernel.shape[3]:
        raise UnknownOperationError("a convolution with groups, dilation or an oblong kernel")
    if len(features.shape) != _IMAGES:
        raise UnknownOperationError("a convolution of other than images")
    step, pad = _one(stride), _one(padding)
    size = [(side + 2 * pad - kernel.shape[2]) // step + 1 for side in features.shape[1:]]
    layer = Convolution(kernel, _bias(bias, len(kernel)), step, pad)
    return features.then(layer, (len(kernel), *size))


def _linear(x: object, weight: object, bias: object = None) -> Features:
    features, matrix = _features(x), _constant(weight, ndim=2)
    if len(features.shape) != 1:
        raise UnknownOperationError("a linear layer on images")
    return features.then(Dense(matrix, _bias(bias, len(matrix))), (len(matrix),))


def _addmm(bias: object, x: object, matrix: object, *, beta: float = 1, alpha: float = 1) -> Features:
    if beta != 1 or alpha != 1:
        raise UnknownOperationError("a weighted sum with a product")
    return _linear(x, _constant(matrix, ndim=2).T, bias)


def _mm(x: object, matrix: object) -> Features:
    return _linear(x, _constant(matrix, ndim=2).T)


def _mv(x: object, vector: object) -> Stack:
    """The features under weights, which may be float64 as long as float32 can hold them."""
    features = _network(x)
    if not isinstance(vector, Tensor) or len(features.shape) != 1:
        raise UnknownOperationError("a product with images")
    weight = vector.detach().float()
    if vector.dtype not in (torch.float32, torch.float64) or not torch.equal(weight.to(vector), vector):
        raise UnknownOperationError("weights that float32 cannot hold")
    return Stack(features=features, weight=weight.contiguous())


def _network(x: object) -> Features:
    """Features that at least one layer computes."""
    features = _features(x)
    if not features.layers:
        raise UnknownOperationError("a linear function of x itself")
    return features


def _activate(x: object, activation: Activation) -> Features:
    features = _network(x)
    if isinstance(features.layers[-1], Activation):
        raise UnknownOperationError("an activation that follows no layer")
    return features.then(activation, features.shape)


def _softplus(x: object, beta: float = 1, threshold: float = 20) -> Features:
    if (beta, threshold) != (1, 20):
        raise UnknownOperationError("softplus with other than the default parameters")
    return _activate(x, activation_named("softplus"))


def _view(x: Any, size: Sequence[int]) -> Symbol:
    """Flattening, the shape as it is, or one feature as the number of the example."""
    if isinstance(x, Stack):
        raise UnknownOperationError("another shape of the energies")
    _, *sides = size
    if tuple(sides) == x.shape:
        return x  # type: ignore[no-any-return]
    if not sides:
        return _squeeze(x)
    if sides in ([-1], [math.prod(x.shape)]):
        return attrs.evolve(x, shape=(math.prod(x.shape),))  # type: ignore[no-any-return]
    raise UnknownOperationError("a reshaping that does not flatten")


def _squeeze(x: object, dim: int | Sequence[int] | None = None) -> Stack:
    features = _features(x)
    if features.shape != (1,) or dim not in (None, 1, -1, [1], [-1]):
        raise UnknownOperationError("a squeeze of more than one number")
    return _column(features, 0)


def _select(x: object, dim: int, index: int) -> Stack:
    features = _features(x)
    if len(features.shape) != 1 or dim != 1:
        raise UnknownOperationError("an index")
    return _column(features, index)


def _column(features: Features, index: int) -> Stack:
    """One of the features as the number of the example."""
    weight = torch.zeros_like(_ones(features))
    weight[index] = 1
    return Stack(features=features, weight=weight)


def _ones(x: object) -> Tensor:
    features = _network(x)
    like = next(layer.weight for layer in features.layers if not isinstance(layer, Activation))
    return like.new_ones(math.prod(features.shape))


def _square(x: object) -> Squares:
    features = _features(x)
    if features.layers:
        raise UnknownOperationError("the square of features")
    return Squares(1.0, features.shape)


def _power(x: object, exponent: float) -> Squares:
    if exponent != 2:  # noqa: PLR2004
        raise UnknownOperationError("another power than the square")
    return _square(x)


def _sum(x: Any, dim: Sequence[int], keepdim: bool = False, *, dtype: object = None) -> Stack:
    del dtype
    rank = len(x.shape) + 1
    if keepdim or {each % rank for each in dim} != set(range(1, rank)):
        raise UnknownOperationError("a sum over other than everything but the rows")
    if isinstance(x, Squares):
        return Stack(quadratic=x.scale)
    return Stack(features=_network(x), weight=_ones(x))


def _mean(x: Any, dim: Sequence[int], keepdim: bool = False, *, dtype: object = None) -> Stack:
    return _sum(x, dim, keepdim, dtype=dtype).times(1 / math.prod(x.shape))


def _number(value: object) -> float:
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value.detach())
    if isinstance(value, (int, float)):
        return float(value)
    raise UnknownOperationError("arithmetic with tensors")


def _add(left: Any, right: Any, *, alpha: float = 1.0) -> Stack:
    pair = [each if isinstance(each, Stack) else Stack(offset=_number(each)) for each in (left, right)]
    return pair[0].plus(pair[1].times(alpha))


def _sub(left: Any, right: Any, *, alpha: float = 1.0) -> Stack:
    return _add(left, right, alpha=-alpha)


def _mul(left: Any, right: Any) -> Symbol:
    if left is right:
        return _square(left)
    symbol, factor = (left, right) if isinstance(left, (Squares, Stack)) else (right, left)
    if isinstance(symbol, Squares):
        return attrs.evolve(symbol, scale=symbol.scale * _number(factor))
    if not isinstance(symbol, Stack):
        raise UnknownOperationError("a product with features")
    return symbol.times(_number(factor))


def _div(left: Any, right: Any) -> Symbol:
    divisor = _number(right)
    return _mul(left, 0.0 if math.isinf(divisor) else 1 / divisor)


def _cast(x: Symbol, *, dtype: torch.dtype | None = None, device: object = None, **layout: object) -> Symbol:
    """The same numbers in a dtype that holds them, in another memory order."""
    del layout
    if dtype not in (None, torch.float32, torch.float64) or device is not None:
        raise UnknownOperationError("a cast that loses digits, or a move")
    return x


def _slice(
    x: Symbol, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Symbol:
    """All of a side: torch before 2.7 computes what ``[:]`` says."""
    del dim
    if start not in (None, 0) or end not in (None, _ALL) or step != 1:
        raise UnknownOperationError("a part of a side")
    return x


def _same(x: Symbol, **layout: object) -> Symbol:
    del layout
    return x


RULES: Mapping[str, Rule] = {
    "convolution": _convolution,
    "linear": _linear,
    "addmm": _addmm,
    "mm": _mm,
    "mv": _mv,
    "relu": lambda x: _activate(x, activation_named("relu")),
    "leaky_relu": lambda x, slope=0.01: _activate(x, activation_named("leaky_relu", slope)),
    "tanh": lambda x: _activate(x, activation_named("tanh")),
    "silu": lambda x: _activate(x, activation_named("silu")),
    "softplus": _softplus,
    "view": _view,
    "_unsafe_view": _view,
    "squeeze": _squeeze,
    "select": _select,
    "slice": _slice,
    "pow": _power,
    "square": _square,
    "sum": _sum,
    "mean": _mean,
    "add": _add,
    "sub": _sub,
    "rsub": lambda left, right, alpha=1.0: _sub(right, left, alpha=alpha),
    "mul": _mul,
    "div": _div,
    "neg": lambda x: _mul(x, -1.0),
    "_to_copy": _cast,
    "clone": _same,
    "alias": _same,
}
"""By the name of the operation; what it does in place has the rule of what it does otherwise."""
