"""One list says what is a picture, and nothing else is ever opened: no decoder starts a program."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ebmkit.errors import DataError
from ebmkit.pictures import FORMATS, is_picture_name, load_picture

ROOT = Path(__file__).parents[2]

POSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 20 20
%%EndComments
0 0 20 20 rectfill
showpage
%%EOF
"""

READ = """
import json, sys
events = []
sys.addaudithook(lambda event, _: events.append(event))
from pathlib import Path
from ebmkit.applications.loading import read_image
from ebmkit.errors import DataError
from ebmkit_images.files import Folder, Zip
from ebmkit_images.textures import Textures
said = []
for read in (
    lambda: Folder(path=sys.argv[1]),
    lambda: Zip(path=sys.argv[2]),
    lambda: Zip(path=sys.argv[2], cache=0)[__import__("torch").tensor([0])],
    lambda: Textures(path=sys.argv[1] + "/a.jpg"),
    lambda: read_image(Path(sys.argv[1], "a.jpg"), (3, 8, 8)),
):
    try:
        read()
    except DataError as error:
        said.append(str(error))
starts = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"}
started = [event for event in events if event in starts]
print(json.dumps({"said": said, "started": started}))
"""


def test_postscript_under_the_name_of_a_jpeg_starts_no_ghostscript(tmp_path: Path) -> None:
    folder, programs, started = tmp_path / "data", tmp_path / "bin", tmp_path / "started"
    folder.mkdir()
    programs.mkdir()
    (folder / "a.jpg").write_bytes(POSTSCRIPT)
    for name in ("gs", "gswin32c", "gswin64c"):
        (programs / name).write_text(f"#!/bin/sh\necho $0 >> {started}\n")
        (programs / name).chmod(0o755)
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.write(folder / "a.jpg", "a.jpg")
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}

    def run(code: str, *, fails: bool = False) -> str:
        arguments = [sys.executable, "-c", code, str(folder), str(tmp_path / "data.zip")]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=not fails)
        return done.stdout

    seen = json.loads(run(READ))
    assert len(seen["said"]) == 5
    assert all("a.jpg" in each and "none of the known formats" in each for each in seen["said"])
    assert seen["started"] == []
    assert not started.exists()
    # Pillow by itself does start it, so that the payload and the trap are real.
    run("import sys\nfrom PIL import Image\nImage.open(sys.argv[1] + '/a.jpg').load()", fails=True)
    assert started.exists()


def test_pictures_are_opened_in_one_place() -> None:
    for path in [*ROOT.glob("ebmkit/**/*.py"), *ROOT.glob("plugins/**/*.py"), *ROOT.glob("examples/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Image.open"):
                assert path.name == "formats.py", path
                assert "formats" in {keyword.arg for keyword in node.keywords}


@pytest.mark.parametrize(
    "suffix", [".eps", ".ps", ".pdf", ".wmf", ".emf", ".mpg", ".h5", ".fits", ".ico", ".psd"]
)
def test_what_pillow_also_knows_is_no_picture(suffix: str) -> None:
    assert suffix in Image.registered_extensions()
    assert not is_picture_name(f"a{suffix}")


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind not in ("SUN", "AVIF")])
def test_every_format_of_the_list_is_read_under_every_name(kind: str) -> None:
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow does not write {kind}")
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 100, 50)).save(stream, kind)
    # A JPEG is never exact; the others are.
    picture = np.asarray(load_picture(stream, "a.jpg", color=True)).astype(int)
    assert np.abs(picture - (200, 100, 50)).max() <= (4 if kind in ("JPEG", "WEBP") else 0)
    for suffix in FORMATS[kind]:
        assert is_picture_name(f"A{suffix.upper()}")


def test_a_tga_is_the_last_guess() -> None:
    assert list(FORMATS)[-1] == "TGA"


@pytest.mark.parametrize("content", [b"", POSTSCRIPT, b"%PDF-1.4\n", b"P7 332\n#END_OF_COMMENTS\n"])
def test_other_content_is_named(content: bytes) -> None:
    with pytest.raises(DataError, match=r"the image x\.png: its content is .* none of the known formats"):
        load_picture(io.BytesIO(content), "x.png", color=True)
