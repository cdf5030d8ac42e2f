"""Reads one table against one signature, and collects what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from ebmkit.config.convert import ConversionError, OutOfRangeError, convert, describe
from ebmkit.config.document import ConfigProblemsError, Document, Key
from ebmkit.config.problems import Problem
from ebmkit.config.signature import REQUIRED, Parameter

__all__ = ["Reader", "did_you_mean"]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """``did you mean 'step_size'?``, or nothing where no name is near."""
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else ""


class Reader:
    """Reads the tables of one document and remembers every problem, so that all are shown at once."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def report(self, code: str, message: str, key: Key, **details: Any) -> None:
        """Remember one problem at a key."""
        self.problems.append(self.document.problem(code, message, key, **details))

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
            self.report("E104", f"{'.'.join(key)!r} must be a table, got {found!r}", key)
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
    ) -> dict[str, Any]:
        """The typed value of every parameter in the table at ``key``, defaults filled in.

        Args:
            key: of the table.
            parameters: what the table may hold.
            owner: whose keys they are, for messages: ``sampler 'langevin'``.
            ignore: keys that somebody else reads.
            more: where to read about the parameters.
        """
        table = self.table(key) or {}
        known = {each.name: each for each in parameters}
        helps = [f"all parameters: {more}"] if more else []
        for name in table.keys() - known.keys() - set(ignore):
            self._unknown_key((*key, name), known, owner, helps)
        values = {}
        for name, parameter in known.items():
            if name in table:
                values[name] = self._value((*key, name), table[name], parameter)
            elif parameter.default is REQUIRED:
                message = f"missing key {name!r} for {owner}"
                self.report("E106", message, key, helps=[_one_line(parameter), *helps])
            else:
                values[name] = parameter.default
        return values

    def _unknown_key(self, key: Key, known: Mapping[str, Parameter], owner: str, helps: list[str]) -> None:
        label = did_you_mean(key[-1], known)
        if label:
            near = difflib.get_close_matches(key[-1], list(known), n=1, cutoff=0.5)[0]
            helps = [_one_line(known[near]), *helps]
        self.report("E103", f"unknown key {key[-1]!r} for {owner}", key, label=label, helps=helps)

    def _value(self, key: Key, value: Any, parameter: Parameter) -> Any:
        try:
            return convert(value, parameter.hint)
        except ConversionError as error:
            label = f"did you mean {error.suggestion!r}?" if error.suggestion else ""
            self.report(
                "E104", f"{key[-1]!r} {error}", key, value=True, label=label, helps=[_one_line(parameter)]
            )
        except OutOfRangeError as error:
            self.report("E105", f"{key[-1]!r} {error}", key, value=True, helps=[_one_line(parameter)])
        return parameter.default


def _one_line(parameter: Parameter) -> str:
    """A parameter for people: ``step_size: float, > 0, default 0.002``."""
    default = "required" if parameter.default is REQUIRED else f"default {parameter.default!r}"
    return f"{parameter.name}: {describe(parameter.hint)}, {default}"
