from __future__ import annotations

import tomllib

import attrs
import pytest

from ebmkit.config import as_toml, signature_of, tables
from ebmkit.config.convert import convert
from ebmkit.config.search import OWN_TABLES

TABLES = [getattr(tables, name) for name in tables.__all__]


@pytest.mark.parametrize("table", TABLES)
def test_every_default_is_a_value_that_a_run_file_may_give(table: type) -> None:
    for parameter in signature_of(table).parameters:
        assert parameter.default == getattr(table(), parameter.name)
        written = tomllib.loads(f"value = {as_toml(parameter.default)}")["value"]
        assert convert(written, parameter.hint) == parameter.default


@pytest.mark.parametrize("table", TABLES)
def test_every_key_says_what_it_does_and_in_the_order_of_the_table(table: type) -> None:
    told = [(each.name, bool(each.doc)) for each in signature_of(table).parameters]
    assert told == [(each.name, True) for each in attrs.fields(table)]


def test_the_docstring_of_a_table_begins_with_the_name_it_has_in_a_file() -> None:
    for name, table in OWN_TABLES.items():
        assert str(table.__doc__).startswith(f"``[{name}]``:")
