r"""What an energy computes, read off its own forward pass.

The pass is traced by ``torch.fx`` and then followed with symbols in place of x. The energies that come
out are of the form

$$E(x) = a \|x\|^2 + \langle u, h_L(\dots h_1(x)) \rangle + c, \qquad h_l(x) = \phi_l(W_l * x + b_l)$$

whatever way the forward pass wrote them; an operation without a rule means that nothing is known.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, final

import attrs
import torch
from torch import Tensor, fx, nn

from ebmkit_fastconv.activations import ACTIVATION_MODULES, Activation, activation_named

__all__ = ["Convolution", "Dense", "Layer", "Stack", "UnknownOperationError", "read_stack", "trace"]


class UnknownOperationError(Exception):
    """The forward pass does something that no rule covers."""


@final
@attrs.frozen(eq=False)
class Convolution:
    """A convolution of square stride and padding: weight ``(C_out, C_in, k, k)``, bias ``(C_out,)``."""

    weight: Tensor
    bias: Tensor | None
    stride: int
    padding: int


@final
@attrs.frozen(eq=False)
class Dense:
    """A linear layer on flattened features: weight ``(out, in)``, bias ``(out,)``."""

    weight: Tensor
    bias: Tensor | None


Layer: TypeAlias = Convolution | Dense | Activation


@final
@attrs.frozen(eq=False)
class Features:
    """A vector for each example: ``layers`` applied to x one after the other."""

    layers: tuple[Layer, ...]
    shape: tuple[int, ...]

    def then(self, layer: Layer, shape: tuple[int, ...]) -> Features:
        return Features((*self.layers, layer), shape)


@final
@attrs.frozen(eq=False)
class Squares:
    """The squares of x, multiplied by ``scale``."""

    scale: float
    shape: tuple[int, ...]


@final
@attrs.frozen(eq=False)
class Stack:
    """One number for each example: the energy, or a part of it.

    Attributes:
        quadratic: a.
        offset: c.
        features: h, if any; layers in the order in which they are applied.
        weight: u, as long as the flattened features.
    """

    quadratic: float = 0.0
    offset: float = 0.0
    features: Features | None = None
    weight: Tensor | None = None

    def times(self, factor: float) -> Stack:
        """The product with a number."""
        weight = None if self.weight is None else self.weight * factor
        return attrs.evolve(
            self, quadratic=self.quadratic * factor, offset=self.offset * factor, weight=weight
        )

    def plus(self, other: Stack) -> Stack:
        """The sum, of which one part alone may be a network."""
        if self.features is not None and other.features is not None:
            raise UnknownOperationError("the sum of two networks")
        network = self if self.features is not None else other
        return Stack(
            self.quadratic + other.quadratic, self.offset + other.offset, network.features, network.weight
        )


@final
class _Tracer(fx.Tracer):
    """Leaves parameters and buffers in the graph by name, and refuses every other tensor.

    What forward computes from a tensor while it is traced would stay in the graph as it is now.
    """

    proxy_buffer_attributes = True

    def create_arg(self, a: Any) -> Any:
        if isinstance(a, Tensor) and not isinstance(a, nn.Parameter):
            raise UnknownOperationError("a tensor that is neither parameter nor buffer")
        return super().create_arg(a)


def trace(energy: nn.Module) -> fx.Graph | None:
    """The forward pass as a graph; None where it cannot be one."""
    try:
        return _Tracer().trace(energy)
    except Exception:  # noqa: BLE001 - control flow on values, arbitrary Python: all mean the same here
        return None


def read_stack(energy: nn.Module, graph: fx.Graph, x: Tensor) -> Stack:
    """Follow the graph with the weights as they are now.

    Raises:
        UnknownOperationError: the energy is of another form.
    """
    values: dict[fx.Node, Any] = {}
    for node in graph.nodes:
        args, kwargs = fx.node.map_arg((node.args, dict(node.kwargs)), values.__getitem__)
        if node.op == "output":
            return _energy(args[0])
        values[node] = _evaluate(energy, node, args, kwargs, x)
    raise UnknownOperationError("no output")


def _energy(result: object) -> Stack:
    """The result of the forward pass, its last linear layers collapsed into the weight of the features."""
    if not isinstance(result, Stack) or result.features is None or result.weight is None:
        raise UnknownOperationError("the result is no sum over one network's features")
    *layers, last = result.features.layers
    if not isinstance(last, Dense):
        return result
    offset = result.offset
    if last.bias is not None:
        offset += float(last.bias.double() @ result.weight.double())
    features = Features(tuple(layers), (last.weight.shape[1],))
    return _energy(Stack(result.quadratic, offset, features, result.weight @ last.weight))


def _evaluate(energy: nn.Module, node: fx.Node, args: Any, kwargs: Any, x: Tensor) -> Any:
    if node.op == "placeholder":
        return Features((), tuple(x.shape[1:]))
    if node.op == "get_attr":
        return operator.attrgetter(str(node.target))(energy)
    symbolic = [each for each in (*args, *kwargs.values()) if isinstance(each, (Features, Squares, Stack))]
    if node.op == "call_module":
        module = energy.get_submodule(str(node.target))
        return _module(module, args[0]) if symbolic else module(*args, **kwargs)
    if not symbolic:
        return _plainly(node, args, kwargs)
    name = str(node.target) if node.op == "call_method" else getattr(node.target, "__name__", "")
    if name == "getattr" or (name == "size" and node.op == "call_method"):
        return _size(args, len(x), name)
    rule = _RULES.get(name)
    if rule is None:
        raise UnknownOperationError(name)
    try:
        return rule(*args, **kwargs)
    except (TypeError, AttributeError) as error:  # arguments that the rule does not know
        raise UnknownOperationError(f"{name}: {error}") from error


def _plainly(node: fx.Node, args: Any, kwargs: Any) -> Any:
    """What a call gives that has nothing to do with x."""
    if callable(node.target):
        return node.target(*args, **kwargs)
    return getattr(args[0], node.target)(*args[1:], **kwargs)


def _size(args: tuple[Any, ...], rows: int, name: str) -> Any:
    """``x.shape`` and ``x.size(0)``, which forward passes use to flatten."""
    symbol = args[0]
    if isinstance(symbol, Stack) or (name == "getattr" and args[1] != "shape"):
        raise UnknownOperationError("an attribute of the energies")
    shape = torch.Size((rows, *symbol.shape))
    return shape[args[1]] if name == "size" and len(args) > 1 else shape


def _module(module: nn.Module, x: Any) -> Any:
    """One of torch's layers."""
    kind = type(module)
    if isinstance(module, nn.Conv2d) and kind is nn.Conv2d:
        if module.padding_mode != "zeros":
            raise UnknownOperationError("padding with other than zeros")
        return _conv2d(
            x, module.weight, module.bias, module.stride, module.padding, module.dilation, module.groups
        )
    if isinstance(module, nn.Linear) and kind is nn.Linear:
        return _linear(x, module.weight, module.bias)
    if isinstance(module, nn.Flatten) and kind is nn.Flatten:
        return _flatten(x, module.start_dim, module.end_dim)
    if kind is nn.Identity or (kind in (nn.Dropout, nn.Dropout2d) and not module.training):
        return x
    if kind in ACTIVATION_MODULES:
        return _activate(x, ACTIVATION_MODULES[kind](module))
    raise UnknownOperationError(kind.__name__)


def _need(symbol: object, kind: type[Any]) -> Any:
    if not isinstance(symbol, kind):
        raise UnknownOperationError(f"{type(symbol).__name__} where {kind.__name__} was expected")
    return symbol


def _one(pair: Any) -> int:
    """The number that a pair repeats."""
    numbers = {pair} if isinstance(pair, int) else set(pair)
    if len(numbers) != 1 or isinstance(pair, str):
        raise UnknownOperationError(f"unequal sides {pair}")
    return int(numbers.pop())


def _conv2d(  # noqa: PLR0917 - the signature of torch's function
    x: object,
    weight: Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Features:
    features: Features = _need(x, Features)
    if groups != 1 or _one(dilation) != 1 or len(features.shape) != 3 or weight.shape[2] != weight.shape[3]:  # noqa: PLR2004
        raise UnknownOperationError("a convolution with groups, dilation or an oblong kernel")
    stride, padding, kernel = _one(stride), _one(padding), weight.shape[2]
    size = [(side + 2 * padding - kernel) // stride + 1 for side in features.shape[1:]]
    layer = Convolution(weight.detach(), None if bias is None else bias.detach(), stride, padding)
    return features.then(layer, (weight.shape[0], *size))


def _linear(x: object, weight: Tensor, bias: Tensor | None = None) -> Features:
    features: Features = _need(x, Features)
    if len(features.shape) != 1:
        raise UnknownOperationError("a linear layer on images")
    layer = Dense(weight.detach(), None if bias is None else bias.detach())
    return features.then(layer, (weight.shape[0],))


def _activate(x: object, activation: Activation) -> Features:
    features: Features = _need(x, Features)
    if not features.layers or isinstance(features.layers[-1], Activation):
        raise UnknownOperationError("an activation that follows no layer")
    return features.then(activation, features.shape)


def _flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    if isinstance(x, Stack) or start_dim != 1 or end_dim != -1:
        raise UnknownOperationError("a flattening of the batch")
    return attrs.evolve(x, shape=(math.prod(x.shape),))


def _view(x: Any, *sizes: Any) -> Any:
    size = tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    if isinstance(x, Stack) or len(size) != 2 or size[1] not in (-1, math.prod(x.shape)):  # noqa: PLR2004
        raise UnknownOperationError("a reshaping that does not flatten")
    return _flatten(x, 1)


def _square(x: object) -> Squares:
    features: Features = _need(x, Features)
    if features.layers:
        raise UnknownOperationError("the square of features")
    return Squares(1.0, features.shape)


def _power(x: object, exponent: float) -> Squares:
    if exponent != 2:  # noqa: PLR2004
        raise UnknownOperationError("another power than the square")
    return _square(x)


def _sum(x: Any, dim: Any = None, *, keepdim: bool = False, dtype: object = None) -> Stack:
    del dtype
    dims = {dim} if isinstance(dim, int) else set(dim or ())
    rank = len(x.shape) + 1
    if keepdim or {each % rank for each in dims} != set(range(1, rank)):
        raise UnknownOperationError("a sum over other than everything but the rows")
    if isinstance(x, Squares):
        return Stack(quadratic=x.scale)
    features: Features = _need(x, Features)
    parameters = [layer.weight for layer in features.layers if not isinstance(layer, Activation)]
    like = parameters[0] if parameters else torch.empty(0)
    return Stack(features=features, weight=like.new_ones(math.prod(features.shape)))


def _mean(x: Any, dim: Any = None) -> Stack:
    return _sum(x, dim).times(1 / math.prod(x.shape))


def _matmul(x: object, weight: object) -> Any:
    features: Features = _need(x, Features)
    matrix: Tensor = _need(weight, Tensor).detach()
    if len(features.shape) != 1:
        raise UnknownOperationError("a product with images")
    if matrix.ndim == 1:
        first = next(layer for layer in features.layers if not isinstance(layer, Activation))
        return Stack(features=features, weight=matrix.to(first.weight.dtype))
    return features.then(Dense(matrix.T, None), (matrix.shape[1],))


def _column(x: object, index: int) -> Stack:
    """One of the features as the number of the example."""
    features: Features = _need(x, Features)
    weight = _sum(features, 1).weight
    assert weight is not None  # noqa: S101 - a sum of features has one
    chosen = torch.zeros_like(weight)
    chosen[index] = 1
    return Stack(features=features, weight=chosen)


def _squeeze(x: object, dim: int | None = None) -> Stack:
    features: Features = _need(x, Features)
    if features.shape != (1,) or dim in (0, -2):
        raise UnknownOperationError("a squeeze of more than one number")
    return _column(features, 0)


def _getitem(x: object, index: Any) -> Any:
    if isinstance(index, tuple) and len(index) == 2 and index[0] == slice(None) and isinstance(index[1], int):  # noqa: PLR2004
        features: Features = _need(x, Features)
        if len(features.shape) == 1:
            return _column(features, index[1])
    raise UnknownOperationError("an index")


def _number(value: object) -> float:
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value)
    if isinstance(value, (int, float)):
        return float(value)
    raise UnknownOperationError("arithmetic with tensors")


def _add(left: Any, right: Any, *, sign: float = 1.0) -> Stack:
    pair = [each if isinstance(each, Stack) else Stack(offset=_number(each)) for each in (left, right)]
    return pair[0].plus(pair[1].times(sign))


def _mul(left: Any, right: Any) -> Any:
    if left is right:
        return _square(left)
    symbol, factor = (left, right) if isinstance(left, (Squares, Stack)) else (right, left)
    if isinstance(symbol, Squares):
        return attrs.evolve(symbol, scale=symbol.scale * _number(factor))
    return _need(symbol, Stack).times(_number(factor))


def _div(left: Any, right: Any) -> Any:
    divisor = _number(right)
    return _mul(left, 0.0 if math.isinf(divisor) else 1 / divisor)


def _same(x: Any, *args: object, **kwargs: object) -> Any:
    """Casts and layouts: precision is this package's own business."""
    del args, kwargs
    return x


_RULES: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(["double", "float", "to", "contiguous", "clone"], _same),
    **dict.fromkeys(["flatten"], _flatten),
    **dict.fromkeys(["view", "reshape"], _view),
    **dict.fromkeys(["square"], _square),
    **dict.fromkeys(["pow"], _power),
    **dict.fromkeys(["sum"], _sum),
    **dict.fromkeys(["mean"], _mean),
    **dict.fromkeys(["matmul", "mv"], _matmul),
    **dict.fromkeys(["squeeze"], _squeeze),
    **dict.fromkeys(["getitem"], _getitem),
    **dict.fromkeys(["add"], _add),
    **dict.fromkeys(["sub"], lambda left, right: _add(left, right, sign=-1.0)),
    **dict.fromkeys(["mul"], _mul),
    **dict.fromkeys(["truediv", "div"], _div),
    **dict.fromkeys(["neg"], lambda x: _mul(x, -1.0)),
    **dict.fromkeys(["conv2d"], _conv2d),
    **dict.fromkeys(["linear"], _linear),
    **{
        name: (lambda x, *a, _n=name, **k: _activate(x, activation_named(_n, *a, **k)))
        for name in ("relu", "relu_", "leaky_relu", "tanh", "silu", "softplus")
    },
}
