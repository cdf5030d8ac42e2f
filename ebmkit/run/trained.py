"""Opens a run folder to use what it trained: its run file, checked, and its newest good checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ebmkit.config import ConfigProblemsError, Document, Key, as_toml, header, read_document
from ebmkit.config.changes import is_harmless
from ebmkit.config.plan import Plan, make_plan
from ebmkit.config.problems import Problem
from ebmkit.messages.quoting import shortened
from ebmkit.registry.discovery import Registry
from ebmkit.storage.checkpoint import Checkpoint, newest_checkpoint
from ebmkit.storage.folder import RunFolder

__all__ = ["open_trained"]

_UNUSED = ("data",)
"""A table that says nothing of the weights: the checkpoint knows shape and number of its data."""


def open_trained(folder: RunFolder) -> tuple[Plan, Checkpoint]:
    """The plan of a run and its newest good checkpoint.

    Weights fit many run files: with another ``reference_std`` or step size they draw other samples, and
    nobody would know. So a run file that says something else than the weights were trained with is refused.

    Raises:
        ConfigProblemsError: the run file is broken, or was edited after the checkpoint was written.
        EbmkitError: no good checkpoint, or a part that is not installed.
    """
    plan = make_plan(read_document(folder.config), Registry.discover(), data=False)
    checkpoint, _ = newest_checkpoint(folder.checkpoints)
    then, now = checkpoint.facts.get("config"), json.loads(json.dumps(plan.tables()))
    if then and (edits := list(_edits(plan.document, then, now, ()))):
        raise ConfigProblemsError(edits, file=plan.document.file)
    return plan, checkpoint


def _edits(
    document: Document, then: Mapping[str, Any], now: Mapping[str, Any], above: Key
) -> Iterator[Problem]:
    """A problem for each key that differs. Keys that an older release did not have hold their defaults."""
    new = [name for name, value in now.items() if name not in then and isinstance(value, dict)]
    for name in [*then, *new]:
        key = (*above, name)
        was, is_ = then.get(name), now.get(name)
        if was == is_ or key == _UNUSED or is_harmless(".".join(key)):
            continue
        if isinstance(was, dict) and isinstance(is_, dict):
            yield from _edits(document, was, is_, key)
        else:
            yield _edit(document, key, was, is_)


def _edit(document: Document, key: Key, was: Any, is_: Any) -> Problem:
    helps = [f"a run of its own may have other values: ebmkit run {document.file} --set run.output=…"]
    if isinstance(was, dict) or isinstance(is_, dict):
        message = f"this run was trained {'with' if is_ is None else 'without'} a table {header(key)}"
        return document.problem("E113", message, key, helps=helps)
    message = f"{key[-1]!r} is not what this run was trained with"
    label = f"it was: {shortened(as_toml(was))}"
    suggestion = as_toml(was)
    return document.problem("E113", message, key, value=True, label=label, helps=helps, suggestion=suggestion)
