from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ebmkit.errors import DataError
from ebmkit_images.packages import package_folder


def test_a_package_is_found_where_it_is_installed_and_is_not_imported(tmp_path: Path) -> None:
    """Importing this one would end the process."""
    (tmp_path / "pictured").mkdir()
    (tmp_path / "pictured" / "__init__.py").write_text("raise SystemExit('imported')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from ebmkit_images.packages import package_folder\n"
        "print(package_folder('pictured', requirement='pictured', extra='none', holds='pictures'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "pictured")


@pytest.mark.parametrize("module", ["no_such_package_at_all", "this"], ids=["missing", "one file"])
def test_what_holds_no_files_is_named_with_both_ways_to_install_it(module: str) -> None:
    with pytest.raises(DataError) as error:
        package_folder(module, requirement="faces==1.4", extra="portraits", holds="the portraits")
    assert str(error.value) == (
        "the portraits come with the package faces, which is not installed: "
        "pip install faces==1.4 (or install ebmkit with its extra [portraits])"
    )
