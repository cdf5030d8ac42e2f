r"""As many channels as tensor cores like.

Their kernels read 8 numbers of bfloat16 at a time, 4 of tf32, and are at their best where the channels are
multiples of that (NVIDIA, "Convolutional Layers User's Guide", Channels In And Out). How many channels go
from one convolution to the next is visible to no other code: zeros appended to the weights on both sides of
an activation φ add $0 \cdot \varphi(0)$ to every sum, so energy and gradient stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from ebmkit.core.graph.recording import recorded

__all__ = ["align_channels", "aligned"]

_MULTIPLE = 8
_MOST = 0.25
"""Share of its channels that may be added to a layer."""

_ACTIVATIONS = frozenset(
    getattr(torch.ops.aten, name)
    for name in (
        *("elu", "gelu", "hardtanh", "leaky_relu", "mish", "relu", "sigmoid", "silu", "softplus", "tanh"),
        *("elu_", "hardtanh_", "leaky_relu_", "mish_", "relu_", "silu_"),
    )
)
"""Of each number by itself; finite, and of finite slope, at 0."""


def align_channels(weight: Tensor, dim: int) -> Tensor:
    """Zeros appended up to a multiple of 8 in one dimension; none where that would be more than a quarter.

    Examples:
        >>> [len(align_channels(torch.ones(channels), 0)) for channels in (3, 64, 100)]
        [3, 64, 104]
    """
    channels = weight.shape[dim]
    extra = -channels % _MULTIPLE
    if extra > _MOST * channels:
        return weight
    return functional.pad(weight, [0, 0] * (weight.ndim - 1 - dim) + [0, extra])


def aligned(energy: nn.Module, x: Tensor, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the same energy whose convolutions hand on multiples of 8 channels.

    Args:
        energy: to be called with them by ``torch.func.functional_call``; called once here.
        x: a state, ``(B, *S)``.
        weights: its parameters and buffers by name.

    Returns:
        the same after ``align_channels``, where a convolution alone reads what another one wrote, nothing but
        activations in between. The channels of x, and those that anything else reads, stay.
    """
    grown = dict(weights)
    try:
        graph = _forward(energy, x, weights)
    except Exception:  # noqa: BLE001 - a branch on numbers, whatever else: nothing is known
        return grown
    for sides in _handed_on(graph, tuple(weights)):
        for name, dim in sides:
            grown[name] = align_channels(grown[name], dim)
    return grown


def _handed_on(graph: fx.Graph, weights: tuple[str, ...]) -> Iterator[list[tuple[str, int]]]:
    """Of channels that no other code sees, the weights that know them, and in which dimension."""
    _, *inputs = (node for node in graph.nodes if node.op == "placeholder")
    names = {node: name for node, name in zip(inputs, weights, strict=True) if len(node.users) == 1}
    for writer in filter(_is_convolution, graph.nodes):
        reader = _only_reader(writer)
        if reader is not None:
            sides = [(writer.args[1], 0), (writer.args[2], 0), (reader.args[1], 1)]
            known = [(names.get(node, ""), dim) for node, dim in sides if node is not None]
            if all(name for name, _ in known):
                yield known


@torch.no_grad()
def _forward(energy: nn.Module, x: Tensor, weights: Mapping[str, Tensor]) -> fx.Graph:
    """What the forward pass does to x and the weights."""

    def forward(x: Tensor, *values: Tensor) -> tuple[Tensor]:
        named = dict(zip(weights, values, strict=True))
        return (torch.func.functional_call(energy, named, (x,)),)

    return recorded(forward, [each.detach() for each in (x, *weights.values())]).graph


def _is_convolution(node: fx.Node) -> bool:
    """Without groups, and no transposed one."""
    if node.target is not torch.ops.aten.convolution.default:
        return False
    *_, transposed, _, groups = node.args
    return bool(groups == 1 and not transposed)


def _only_reader(node: fx.Node) -> fx.Node | None:
    """The convolution that alone reads what comes out of a node and activations after it."""
    while len(node.users) == 1:
        (user,) = node.users
        if _is_convolution(user):
            return user
        if getattr(user.target, "overloadpacket", None) not in _ACTIVATIONS:
            return None
        node = user
    return None
