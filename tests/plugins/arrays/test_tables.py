from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from ebmkit.errors import DataError
from ebmkit_arrays.tables import Csv
from tests.plugins.arrays.reading import everything


def test_a_table_is_read_column_by_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("﻿name, a ,b\nfirst,1,2\n\nsecond,-3,4e1\n", encoding="utf-8")
    source = Csv(path=str(tmp_path / "x.csv"), columns=("b", "a"), scale="none")
    assert source.columns == ("b", "a")
    assert everything(source).tolist() == [[2, 1], [40, -3]]


def test_a_bad_field_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    cases = {
        "a,b\n1,2\n3,red\n": "x.csv:3: column 'b' holds 'red', not a finite number; columns = ",
        "a,b\n1,inf\n": "x.csv:2: column 'b' holds 'inf'",
        "a,b\n1,2,3\n": "x.csv:2: 3 fields, where 2 columns are named",
        "a,b\n1,\n": "x.csv:2: column 'b' is missing; missing = \"drop\" leaves such rows out",
        "": "is empty: its first line names the columns",
        "a,b\n": "holds no example",
    }
    for text, message in cases.items():
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            Csv(path=str(path))


def test_rows_with_missing_fields_can_be_dropped_and_are_counted(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a;b;c\n1;2;x\n?;3;y\n4;NA;\n5;6;\n")
    source = Csv(
        path=str(tmp_path / "x.csv"), delimiter=";", columns=("a", "b"), missing="drop", scale="none"
    )
    assert everything(source).tolist() == [[1, 2], [5, 6]]
    assert source.notes == ("2 rows with missing fields are left out",)


def test_gzip_of_a_table_is_no_text(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    buffer.write(gzip.compress(b"a,b\n1,2\n"))
    (tmp_path / "x.csv").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="cannot read"):
        Csv(path=str(tmp_path / "x.csv"))


def test_columns_of_one_name_are_all_read_and_cannot_be_chosen_by_it(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b,a\n1,2,3\n4,5,6\n")
    assert everything(Csv(path=str(tmp_path / "x.csv"), scale="none")).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert everything(Csv(path=str(tmp_path / "x.csv"), columns=("b",), scale="none")).tolist() == [[2], [5]]
    with pytest.raises(DataError, match="has 2 columns 'a': columns = … cannot tell them apart"):
        Csv(path=str(tmp_path / "x.csv"), columns=("b", "a"))
