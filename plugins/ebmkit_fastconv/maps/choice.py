"""Which map computes which layer: rules measured once, never timed while a run is going on.

A choice made by timing would differ from run to run, and with it the last bits of every result.
"""

from __future__ import annotations

from typing import TypeAlias, final

import attrs
import torch
from torch import Tensor

from ebmkit_fastconv.maps.direct import (
    DenseMap,
    DirectConvolution,
    LinearMap,
    Rounded,
    ShuffledTranspose,
    StridedTranspose,
    has_bfloat16,
    has_mkldnn,
)
from ebmkit_fastconv.maps.fourier import fourier_map
from ebmkit_fastconv.maps.processor import rules
from ebmkit_fastconv.maps.transforms import transforms
from ebmkit_fastconv.maps.winograd import OUT, form_of, plan_kernel
from ebmkit_fastconv.maps.winograd_native import FoldedTranspose, NativeWinograd
from ebmkit_fastconv.maps.winograd_torch import TorchWinograd
from ebmkit_fastconv.reading.activations import IDENTITY, Activation
from ebmkit_fastconv.reading.stack import Convolution, Dense, Stack

__all__ = ["Block", "Shape", "blocks_of", "chunk_rows", "fills_tiles", "is_wide", "is_winograd", "tiles_of"]

Shape: TypeAlias = tuple[int, ...]

_LEAST_CHANNELS_NATIVE = 64
_LEAST_CHANNELS_TORCH = 96
_LEAST_SHARE_OF_TILES = 0.75
_FEW_CHANNELS = 8
_MOST_SENT = 256
_ROWS, _ROWS_TORCH = 32, 16


@final
@attrs.frozen(eq=False)
class Block:
    """One layer with its activation, and the sizes of what it reads and writes, without the batch."""

    layer: Convolution | Dense
    activation: Activation
    source: Shape
    target: Shape

    def bias(self, dtype: torch.dtype) -> Tensor:
        """Ready to be added to what the layer writes."""
        weight, bias = self.layer.weight, self.layer.bias
        bias = weight.new_zeros(weight.shape[0]) if bias is None else bias
        return bias.to(dtype).view(-1, *[1] * (len(self.target) - 1))

    def forward_map(self, rows: int, dtype: torch.dtype) -> LinearMap:
        """W, for ``rows`` examples at a time."""
        layer = self.layer
        if dtype == torch.bfloat16 and not has_bfloat16(layer.weight.device):
            return Rounded(self._rounded().forward_map(rows, torch.float32))
        if isinstance(layer, Dense):
            return DenseMap(_columns_by_pixel(layer.weight, self.source).T.to(dtype))
        if (cheaper := self._cheaper(layer, rows, dtype, transposed=False)) is not None:
            return cheaper
        size = (rows, *self.source)
        return DirectConvolution(
            layer.weight.to(dtype), stride=layer.stride, padding=layer.padding, size=size
        )

    def transposed_map(self, rows: int, dtype: torch.dtype) -> LinearMap:
        """The transpose of W, for ``rows`` examples at a time."""
        layer = self.layer
        if dtype == torch.bfloat16 and not has_bfloat16(layer.weight.device):
            return Rounded(self._rounded().transposed_map(rows, torch.float32))
        if isinstance(layer, Dense):
            target = _maps(self.source)
            return DenseMap(_columns_by_pixel(layer.weight, self.source).to(dtype), target)
        if (cheaper := self._cheaper(layer, rows, dtype, transposed=True)) is not None:
            return cheaper
        weight, stride, padding = layer.weight.to(dtype), layer.stride, layer.padding
        kernel = weight.shape[2]
        if stride == 1 and padding < kernel:
            flipped = weight.flip(2, 3).transpose(0, 1)
            return DirectConvolution(
                flipped, stride=1, padding=kernel - 1 - padding, size=(rows, *self.target)
            )
        if stride > 1 and weight.shape[1] <= _FEW_CHANNELS:
            return ShuffledTranspose(weight, stride=stride, padding=padding, size=self.source, rows=rows)
        return StridedTranspose(weight, stride=stride, padding=padding, size=self.source)

    def _packs(self, layer: Convolution, rows: int) -> bool:
        """Whether there are tiles enough for a kernel in Winograd's space."""
        return rows * tiles_of(self.target) >= rules().chains[layer.stride]

    def _rounded(self) -> Block:
        """The layer with weights that bfloat16 can hold."""
        weight = self.layer.weight.bfloat16().float()
        return attrs.evolve(self, layer=attrs.evolve(self.layer, weight=weight))

    def _cheaper(
        self, layer: Convolution, rows: int, dtype: torch.dtype, *, transposed: bool
    ) -> LinearMap | None:
        """Winograd's way for small kernels, Fourier's for large ones, where either saves multiplications.

        And a product and a sum, back to images of few channels.
        """
        source, target, native = _maps(self.source), _maps(self.target), transforms()
        if dtype != torch.float32 or not has_mkldnn(layer.weight) or source is None or target is None:
            return None
        at = {"stride": layer.stride, "padding": layer.padding}
        if transposed and native is not None and _sends_little(layer.weight):
            return FoldedTranspose(layer.weight, native, size=source, **at)
        if not is_winograd(self):
            return fourier_map(layer.weight, source=source, target=target, transposed=transposed, **at)
        kernel = plan_kernel(layer.weight, transposed=transposed, **at) if self._packs(layer, rows) else None
        if kernel is None:
            return None
        source, target = (target, source) if transposed else (source, target)
        if native is not None:
            return NativeWinograd(kernel, native, source=source, target=target, rows=rows)
        return TorchWinograd(kernel, source=source, target=target, rows=rows)


def _sends_little(weight: Tensor) -> bool:
    """Whether all that a feature sends down can be written out before it is summed."""
    return weight.shape[1] <= _FEW_CHANNELS and weight[0].numel() <= _MOST_SENT


def is_winograd(block: Block) -> bool:
    """Whether Winograd's way pays: wide layers whose result fills the tiles."""
    layer = block.layer
    if not isinstance(layer, Convolution):
        return False
    least = _LEAST_CHANNELS_TORCH if transforms() is None else _LEAST_CHANNELS_NATIVE
    form = form_of(layer.weight.shape[2], stride=layer.stride, padding=layer.padding)
    return form is not None and is_wide(layer.weight, least) and fills_tiles(block.target)


def is_wide(weight: Tensor, least: int = _LEAST_CHANNELS_NATIVE) -> bool:
    """Whether a kernel has that many channels on both sides."""
    return min(weight.shape[:2]) >= least


def fills_tiles(target: Shape) -> bool:
    """Whether most of what Winograd computes of such a result, ``(C, H, W)``, is part of it."""
    height, width = target[1:]
    return height * width >= _LEAST_SHARE_OF_TILES * tiles_of(target) * OUT**2


def tiles_of(target: Shape) -> int:
    """How many tiles cover such a result, ``(C, H, W)``."""
    height, width = target[1:]
    return -(-height // OUT) * -(-width // OUT)


def blocks_of(stack: Stack, shape: Shape) -> list[Block]:
    """Each layer of a stack with the activation that follows it."""
    blocks: list[Block] = []
    for layer in stack.features.layers if stack.features is not None else ():
        if isinstance(layer, Activation):
            blocks[-1] = attrs.evolve(blocks[-1], activation=layer)
            continue
        target = _target(layer, shape)
        blocks.append(Block(layer, IDENTITY, shape, target))
        shape = target
    return blocks


def chunk_rows(blocks: list[Block], rows: int, device: torch.device) -> int:
    """Examples at a time: few enough for the caches of a processor, in chunks of nearly equal size."""
    if device.type != "cpu" or all(isinstance(block.layer, Dense) for block in blocks):
        return rows
    limit = _ROWS_TORCH if transforms() is None and any(map(is_winograd, blocks)) else _ROWS
    if rows <= limit:
        return rows
    sizes = range(limit // 2, limit + 1)
    # Least padding first, then the largest chunks.
    return min(sizes, key=lambda size: (-rows % size, -size))


def _target(layer: Convolution | Dense, shape: Shape) -> Shape:
    if isinstance(layer, Dense):
        return (layer.weight.shape[0],)
    kernel = layer.weight.shape[2]
    sides = [(side + 2 * layer.padding - kernel) // layer.stride + 1 for side in shape[1:]]
    return (layer.weight.shape[0], *sides)


def _maps(shape: Shape) -> tuple[int, int, int] | None:
    """A shape that is feature maps, or None."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else None  # noqa: PLR2004


def _columns_by_pixel(weight: Tensor, source: Shape) -> Tensor:
    """``(out, C H W)`` reordered to ``(out, H W C)``, as channels-last memory has the features."""
    if len(source) == 1:
        return weight
    return weight.view(-1, *source).permute(0, 2, 3, 1).flatten(1)
