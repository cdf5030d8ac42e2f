"""Classes of images, by the folders they lie in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor

from ebmkit.errors import DataError
from ebmkit.pictures import printable

__all__ = ["Labels"]


@final
class Labels:
    """The class of each image: the first folder of its name.

    Args:
        names: of the images, relative to the place they are in: ``daisy/1.jpg``.
        label: how to call the image at a position in a message.

    Attributes:
        classes: their names, sorted; the number of a class is its place among them.

    Raises:
        DataError: an image lies in no folder.
    """

    def __init__(self, names: Sequence[str], label: Callable[[int], str]) -> None:
        folders = [name.rpartition("/")[0].partition("/")[0] for name in names]
        if "" in folders:
            stray = printable(label(folders.index("")))
            raise DataError(f"labels = true takes the class from the sub-folder, and {stray} is in none")
        self.classes = tuple(map(printable, sorted(set(folders))))
        number = {name: at for at, name in enumerate(sorted(set(folders)))}
        self._of = torch.tensor([number[folder] for folder in folders])

    def __getitem__(self, index: Tensor) -> Tensor:
        """The numbers of the classes at these positions, ``(n,) -> (n,)`` int64.

        Examples:
            >>> labels = Labels(["rose/1.png", "daisy/1.png"], str)
            >>> labels.classes, labels[torch.tensor([0, 0, 1])]
            (('daisy', 'rose'), tensor([1, 1, 0]))
        """
        return self._of[index]
