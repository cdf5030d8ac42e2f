"""Examples for a trained run, and the chain that infers their latents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ebmkit.config import Document, read_document
from ebmkit.config.plan import make_plan
from ebmkit.core import Chain, Sampler, Source
from ebmkit.errors import ConfigError, DataError
from ebmkit.pictures import load_picture
from ebmkit.registry.discovery import Registry
from ebmkit.report import are_images
from ebmkit.run.build import open_source
from ebmkit.run.opening import refuse_parts_of_a_program
from ebmkit.storage.folder import RunFolder

__all__ = [
    "chain_of",
    "examples_of",
    "load_images",
    "read_image",
    "refuse_other_tables",
    "refuse_other_than_images",
    "source_at",
]


def load_images(
    folder: RunFolder, *, data: Path | None, overrides: Sequence[str], count: int, shape: tuple[int, ...]
) -> Tensor:
    """The first images of a run's own data, or of a folder or archive, ``(count, *shape)``.

    Args:
        folder: of the run, whose ``[data]`` table says where images are and how they are read.
        data: a folder or a zip archive instead.
        overrides: of keys of ``[data]``: ``data.skip=8500``.
        count: at most that many.
        shape: (C, H, W) that the run was trained on.

    Raises:
        EbmkitError: missing or unreadable data, or images of another shape.
    """
    source = examples_of(folder, data=data, overrides=overrides, shape=shape)
    return source[torch.arange(min(count, len(source)))]


def examples_of(
    folder: RunFolder, *, data: Path | None, overrides: Sequence[str], shape: tuple[int, ...]
) -> Source:
    """The examples of a run's own data, or the images of a folder or archive.

    Args:
        folder: of the run, whose ``[data]`` table says where they are and how they are read.
        data: a folder or a zip archive instead.
        overrides: of keys of ``[data]``: ``data.skip=8500``.
        shape: that the run was trained on.

    Raises:
        EbmkitError: missing or unreadable data, or examples of another shape.
    """
    if data is not None:
        return source_at(folder, data, [each.removeprefix("data.") for each in overrides], shape)
    document = read_document(folder.config, overrides, saved=True)
    refuse_other_tables(document, "data")
    refuse_parts_of_a_program(document.data, folder.name)
    source = open_source(make_plan(document, Registry.discover()))
    _refuse_other_shape(source, shape)
    return source


def source_at(folder: RunFolder, path: Path, keys: Sequence[str], shape: tuple[int, ...]) -> Source:
    """The images of a folder or an archive in the form that a run was trained on.

    Args:
        folder: of the run.
        path: of the folder or the archive.
        keys: other keys of ``[data]``: ``skip=8500``.
        shape: (C, H, W) of the run.

    Raises:
        EbmkitError: missing or unreadable data, or images of another shape; the run knows no images.
    """
    if not are_images(torch.empty(1, *shape, device="meta")):
        raise ConfigError(
            f"{path}: a folder or an archive holds images, and run {folder.name} was trained on examples of "
            f"shape {tuple(shape)}; --set data.KEY=VALUE opens others of its own source"
        )
    document = read_document(folder.config, [f"data.{key}" for key in keys], saved=True)
    table = {key[1]: document.data["data"][key[1]] for key in document.overrides if key[0] == "data"}
    use = "zip" if path.is_file() else "folder"
    form = {"use": use, "path": str(path), "size": shape[-1], "color": shape[0] > 1}
    document.data["data"] = {**form, **table}
    refuse_parts_of_a_program(document.data, folder.name)
    source = open_source(make_plan(document, Registry.discover()))
    _refuse_other_shape(source, shape)
    return source


def _refuse_other_shape(source: Source, shape: tuple[int, ...]) -> None:
    if tuple(source.shape) != tuple(shape):
        raise DataError(
            f"the examples have shape {tuple(source.shape)}, the run was trained on {tuple(shape)}"
        )


def refuse_other_tables(document: Document, *tables: str) -> None:
    """Of a trained run, whose parts are as they were trained, only some tables can still be changed.

    Raises:
        ConfigError: a key of another table.
    """
    for key, argument in document.overrides.items():
        if key[0] not in tables:
            known = " and ".join(f"[{table}]" for table in tables)
            raise ConfigError(
                f"--set {argument}: this command can change {known} alone; the parts of a run stay as they "
                "were trained"
            )


def refuse_other_than_images(folder: RunFolder, shape: tuple[int, ...]) -> None:
    """For what can only be done with pictures.

    Raises:
        ConfigError: the run was trained on something else.
    """
    if not are_images(torch.empty(1, *shape, device="meta")):
        raise ConfigError(
            f"this needs images (C, H, W), grey or RGB, but run {folder.name} was trained on examples of "
            f"shape {tuple(shape)}; ebmkit sample and ebmkit diagnose take any"
        )


def read_image(path: Path, shape: tuple[int, ...]) -> Tensor:
    """One picture in the form a run was trained on, ``(C, H, W)`` in [-1, 1]: its centre square, upright.

    Raises:
        DataError: missing, or no image.
    """
    try:
        with path.open("rb") as stream:
            picture = load_picture(stream, str(path), color=shape[0] > 1)
    except (OSError, ValueError) as error:  # a name that no file can have
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"cannot read the image {path}: {reason}") from None
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, top, left + side, top + side)
    picture = picture.resize((shape[-1], shape[-2]), Image.Resampling.LANCZOS, box=box)
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return pixels.view(shape[-2], shape[-1], shape[0]).permute(2, 0, 1).float().div(127.5).sub(1)


def chain_of(sampler: str, *, steps: int, step_size: float) -> Chain:
    """A chain of a registered sampler.

    Raises:
        EbmkitError: no such sampler, or it takes no such step size.
    """
    component = Registry.discover().find("sampler", sampler)
    try:
        built: Sampler = component.factory(step_size=step_size)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"sampler {sampler!r} of {component.distribution}: {error}") from None
    return Chain(built, steps)
