"""Reads one table against one signature, and collects what is wrong with it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from ebmkit.config.convert import ConversionError, OutOfRangeError, as_toml, convert, convert_text, describe
from ebmkit.config.document import ConfigProblemsError, Document, Key
from ebmkit.config.paths import beside, is_missing
from ebmkit.config.problems import Problem
from ebmkit.messages.quoting import quoted, shortened
from ebmkit.messages.spelling import did_you_mean, edits, nearest
from ebmkit.parameters.ranges import must_exist
from ebmkit.parameters.signature import REQUIRED, Parameter

__all__ = ["Reader"]

_WIDTH = 78


class Reader:
    """Reads the tables of one document and remembers every problem, so that all are shown at once.

    Args:
        document: what to read.
        elsewhere: for each key, the tables of this document in which it would be right.
        paths: whether something must be at the paths of data that it names.
    """

    def __init__(
        self,
        document: Document,
        *,
        elsewhere: Mapping[str, tuple[str, ...]] | None = None,
        paths: bool = False,
    ) -> None:
        self.document = document
        self.elsewhere = elsewhere or {}
        self.paths = paths
        self.problems: list[Problem] = list(document.problems)

    def report(self, code: str, message: str, key: Key, **details: Any) -> None:
        """Remember one problem at a key; met twice, it is still one."""
        problem = self.document.problem(code, message, key, **details)
        if problem not in self.problems:
            self.problems.append(problem)

    def rename(self, key: Key, name: str) -> None:
        """Go on as if what stands at ``key`` were called ``name``."""
        self.document = self.document.renamed(key, name)

    def finish(self) -> None:
        """Raise everything remembered, if there is anything."""
        if self.problems:
            raise ConfigProblemsError(self.problems, file=self.document.file)

    def table(self, key: Key) -> Mapping[str, Any] | None:
        """The table at a key, None where there is none or a plain value stands in its place."""
        found: Any = self.document.data
        for part in key:
            found = found.get(part) if isinstance(found, dict) else None
        if found is not None and not isinstance(found, dict):
            self.report("E104", f"{quoted('.'.join(key))} must be a table, got {quoted(found)}", key)
            return None
        return found

    def values(
        self,
        key: Key,
        parameters: Iterable[Parameter],
        *,
        owner: str,
        ignore: Iterable[str] = (),
        more: str = "",
        former: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The typed value of every parameter in the table at ``key``, defaults filled in.

        Args:
            key: of the table.
            parameters: what the table may hold.
            owner: whose keys they are, for messages: ``sampler 'langevin'``.
            ignore: keys that are read elsewhere.
            more: where to read about the parameters.
            former: names that keys had in earlier releases, and their present ones.
        """
        table = self.table(key) or {}
        known = {each.name: each for each in parameters}
        others = [each for each in ignore if each not in table]
        helps = [f"all parameters: {more}"] if more else []
        said: dict[str, Any] = {"owner": owner, "others": others, "helps": helps, "former": former}
        meant = {
            self.unknown_key((*key, name), known, **said): name
            for name in table
            if name not in known and name not in ignore
        }
        values = {}
        for name, parameter in known.items():
            if name in table:
                values[name] = self._value((*key, name), table[name], parameter)
            elif parameter.default is not REQUIRED:
                values[name] = parameter.default
            elif name not in meant:  # a misspelt key is not a missing one too
                message = f"missing key {name!r} for {owner}"
                self.report("E106", message, key, helps=[*_lines_of(parameter), *helps])
            wrong = meant.get(name)
            if wrong is not None and name not in table and wrong not in self.elsewhere:
                self._value((*key, wrong), table[wrong], parameter)
        return values

    def unknown_key(
        self,
        key: Key,
        known: Mapping[str, Parameter],
        *,
        owner: str,
        others: Iterable[str] = (),
        helps: Iterable[str] = (),
        former: Mapping[str, str] | None = None,
    ) -> str | None:
        """Report a key that the table does not have; the name that was probably meant, if there is one."""
        name = key[-1]
        tables = [table for table in self.elsewhere.get(name, ()) if table != ".".join(key[:-1])]
        now = (former or {}).get(name)
        near = now or nearest(name, [*known, *others], taken=self.table(key[:-1]) or {})
        homes = " or ".join(f"[{table}]" for table in tables)
        if now is not None:
            label = f"it is called {now!r} now"
        elif tables and (near is None or edits(name, near) > 1):
            near = None
            label = f"a key of {homes}: move it there"
        else:
            near = near or _by_doc(name, known)
            label = f"did you mean {near!r}?" if near else ""
            listed = [f"its keys: {', '.join(known)}"] if known and not near and not helps else []
            helps = [*listed, *([f"{quoted(name)} is a key of {homes}"] if tables else []), *helps]
        explained = _lines_of(known[near]) if near is not None and near in known else []
        message = f"unknown key {quoted(name)} for {owner}"
        self.report("E103", message, key, label=label, helps=[*explained, *helps], suggestion=near)
        return near

    def _value(self, key: Key, value: Any, parameter: Parameter) -> Any:
        if isinstance(value, float) and value == parameter.default:
            return value  # infinity, too, where a part takes it for granted
        name, helps = parameter.name, _lines_of(parameter)
        try:
            if (text := self.document.text_set(key)) is not None:
                converted = convert_text(text, parameter.hint)
            else:
                converted = convert(value, parameter.hint, written=self.document.text_of(key))
        except ConversionError as error:
            label = did_you_mean(str(value), error.choices)
            if not label and error.repaired is not None:
                label = f"write: {name} = {shortened(as_toml(error.repaired))}"
            suggestion = None if error.repaired is None else as_toml(error.repaired)
            self.report(
                "E104",
                f"{name!r} {error}",
                key,
                value=True,
                label=label,
                helps=helps,
                suggestion=suggestion,
            )
        except OutOfRangeError as error:
            self.report("E105", f"{name!r} {error}", key, value=True, helps=helps)
        else:
            if self.paths and must_exist(parameter.hint) and is_missing(converted):
                message = f"{name} = {quoted(converted)} does not exist"
                self.report("E111", message, key, value=True, helps=beside(self.document.file, converted))
            return converted
        return parameter.default


def _by_doc(name: str, known: Mapping[str, Parameter]) -> str | None:
    """The parameter whose doc begins with the name in words: ``learning_rate`` is ``lr``."""
    words = name.lower().replace("_", " ").replace("-", " ")
    return next((each.name for each in known.values() if each.doc.lower().startswith(words)), None)


def _lines_of(parameter: Parameter) -> list[str]:
    """A parameter for people: ``step_size: float, > 0, default 0.002 -- δ in the units of x``."""
    default = "required" if parameter.default is REQUIRED else f"default {as_toml(parameter.default)}"
    line = f"{parameter.name}: {describe(parameter.hint)}, {default}"
    doc = _first_clause(parameter.doc)
    if not doc:
        return [line]
    if len(line) + len(doc) + 4 <= _WIDTH:
        return [f"{line} -- {doc}"]
    return [line, textwrap.shorten(f"{parameter.name}: {doc}", _WIDTH, placeholder=" …")]


def _first_clause(doc: str) -> str:
    """What a parameter is, without how and why."""
    for end in ("; ", ". "):
        doc = doc.partition(end)[0]
    return doc.rstrip(".;").replace("``", "")
