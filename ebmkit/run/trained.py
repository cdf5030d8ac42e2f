"""Opens a run folder or an export to use what was trained: the run file, checked, and a good checkpoint."""

from __future__ import annotations

from ebmkit.config import ConfigProblemsError, Document, as_toml, header, read_document
from ebmkit.config.changes import Difference, differences
from ebmkit.config.plan import Plan, make_plan
from ebmkit.config.problems import Problem
from ebmkit.messages.quoting import shortened
from ebmkit.registry.discovery import Registry
from ebmkit.run.opening import refuse_parts_of_a_program, stand_in_for_data
from ebmkit.storage.best import Which
from ebmkit.storage.checkpoint import Checkpoint
from ebmkit.storage.export import open_saved
from ebmkit.storage.folder import RunFolder

__all__ = ["open_trained"]

_UNUSED = ("data",)
"""A table that says nothing of the weights: the checkpoint knows shape and number of its data."""


def open_trained(folder: RunFolder, which: Which = "newest") -> tuple[Plan, Checkpoint]:
    """The plan of a run, or of an export, and one of its checkpoints, by default the newest good one.

    Weights fit many run files: with another ``reference_std`` or step size they draw other samples
    without a sign. So a run file that says something else than the weights were trained with is refused.

    Raises:
        ConfigProblemsError: the run file is broken, or was edited after the checkpoint was written.
        EbmkitError: no good checkpoint, or a part that is not installed.
    """
    document = read_document(folder.config, saved=True)
    refuse_parts_of_a_program({**document.data, "data": {}}, folder.name)
    registry = Registry.discover()
    stand_in_for_data(registry, document.data)
    plan = make_plan(document, registry, data=False)
    checkpoint = open_saved(folder, which)
    changed = differences(checkpoint.facts.config, plan.tables())
    edits = [_edit(plan.document, each) for each in changed if each.key[0] not in _UNUSED]
    if edits:
        raise ConfigProblemsError(edits, file=plan.document.file)
    return plan, checkpoint


def _edit(document: Document, difference: Difference) -> Problem:
    key, was = difference.key, difference.was
    helps = [f"a run of its own may have other values: ebmkit run {document.file} --set run.output=…"]
    if difference.of_a_table:
        gone = difference.now is None
        message = f"this run was trained {'with' if gone else 'without'} a table {header(key)}"
        return document.problem("E113", message, key, helps=helps)
    message = f"{key[-1]!r} is not what this run was trained with"
    label = f"it was: {shortened(as_toml(was))}"
    suggestion = as_toml(was)
    return document.problem("E113", message, key, value=True, label=label, helps=helps, suggestion=suggestion)
