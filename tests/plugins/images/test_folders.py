from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.errors import DataError
from ebmkit_images.decode import Form
from ebmkit_images.files import Folder
from ebmkit_images.folders import Directory
from ebmkit_images.places import Choice
from ebmkit_images.streamed import DecodedFiles

CONTENTS = {"a.png": b"first", "b.jpg": b"", "sub/a.png": bytes(300)}


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name, grey in (("b.png", 255), ("sub/a.png", 0), ("a.png", 51)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), grey).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    source = Folder(path=str(tmp_path), size=8, color=False)
    assert len(source) == 3
    assert source.shape == (1, 8, 8)
    means = source[torch.arange(3)].mean((1, 2, 3))
    assert torch.allclose(means, torch.tensor([51 / 127.5 - 1, 1.0, -1.0]))


def test_the_index_tells_size_and_checksum_of_each_file_and_forgets_what_is_not_kept(tmp_path: Path) -> None:
    for name, content in CONTENTS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    place = Directory(str(tmp_path), Choice())
    assert list(place.names) == sorted(CONTENTS)
    place.keep([2, 0])
    for at, name in enumerate(["sub/a.png", "a.png"]):
        content = CONTENTS[name]
        assert (place.names[at], place.size(at), place.checksum(at)) == (
            name,
            len(content),
            zlib.crc32(content),
        )
        assert place.label(at) == f"{tmp_path}/{name}"
        with place.open(at) as file:
            assert file.read() == content


def test_a_file_that_is_gone_has_the_checksum_zero_and_is_named_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"an image")
    place = Directory(str(tmp_path), Choice())
    (tmp_path / "a.png").unlink()
    assert place.checksum(0) == 0
    with pytest.raises(DataError, match=r"cannot read .*/a\.png: No such file or directory"):
        DecodedFiles(place, Form(8, color=False))[np.array([0])]
