"""Tensors in a safetensors file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ebmkit.core import Exists, MinLen
from ebmkit.errors import DataError
from ebmkit_arrays.numpy_files import Shape
from ebmkit_arrays.rows import Count, Rows, Taken, shaped
from ebmkit_arrays.scaling import Scale

if TYPE_CHECKING:
    from ebmkit.testing import SourceClaims

__all__ = ["Tensors"]


@final
class Tensors(Rows):
    """The rows of a tensor in a ``.safetensors`` file: ``(N, *S)`` makes N examples of shape S.

    A pickled file (``.pt``, ``.pth``) is refused: opening one can run code that it brings along.

    Args:
        path: the file.
        tensor: its name in the file; empty where the file holds one alone.
        shape: of an example, where it is another one than the tensor's.
        scale: ``auto`` takes bytes for images, 0..255 for [-1, 1]; ``none``; ``standard``, mean 0 and
            standard deviation 1 for each coordinate; ``range``, from -1 to 1 for each coordinate.
        skip: leave out that many examples at the beginning.
        limit: take at most that many after those; 0 takes all.

    Raises:
        DataError: no such file or tensor, a pickled file, no example, or one that is not finite.
    """

    def __init__(
        self,
        *,
        path: Annotated[str, MinLen(1), Exists()],
        tensor: str = "",
        shape: Shape = (),
        scale: Scale = "auto",
        skip: Count = 0,
        limit: Count = 0,
    ) -> None:
        found = _read(path, tensor)
        if found.ndim == 0 or found.is_complex():
            raise DataError(
                f"{path!r} holds {found.dtype} of shape {tuple(found.shape)}: examples are rows of numbers"
            )
        array = (found if found.dtype == torch.uint8 else found.float()).numpy()
        super().__init__(
            shaped(array, shape, path), path=path, taken=Taken(scale, skip, limit), settings=(tensor,)
        )

    @staticmethod
    def conformance() -> SourceClaims:
        """What ``ebmkit plugins check source/tensors`` reads without a path: eight small images."""
        from ebmkit.testing import SourceClaims
        from ebmkit_arrays.samples import write_tensors

        return SourceClaims(files=write_tensors)


def _read(path: str, name: str) -> Tensor:
    if Path(path).suffix in (".pt", ".pth", ".bin", ".pkl"):
        raise DataError(
            f"{path!r} is a pickled file, and opening one can run code that it brings along; save the tensor "
            'instead with safetensors.torch.save_file({"x": tensor}, "data.safetensors")'
        )
    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor(_chosen(list(file.keys()), name, path))  # type: ignore[no-any-return]
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot read {path!r}: {error}") from None


def _chosen(names: list[str], name: str, path: str) -> str:
    if not name and len(names) != 1:
        raise DataError(f"tensor = … says which of {path!r} to read: {', '.join(names) or 'it is empty'}")
    if name and name not in names:
        raise DataError(f"{path!r} holds no tensor {name!r}; there are: {', '.join(names)}")
    return name or names[0]
