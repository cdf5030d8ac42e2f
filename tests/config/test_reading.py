from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ebmkit, Install

RunFile = Callable[[str], Path]

DRIFTING = """
    import attrs
    from ebmkit.core import Sampler
    from ebmkit.plugin import hookimpl

    @attrs.frozen(kw_only=True)
    class Drifting(Sampler):
        '''Moves everything by a step.

        Args:
            by: how far; not at all without it.
        '''

        by: TYPE = None

        def step(self, energy, state, rng):
            return type(state)(state.x + (self.by or 0.0)), {}

    @hookimpl
    def ebmkit_samplers():
        return {"drifting": Drifting}
"""


def test_a_parameter_that_is_not_set_by_default_may_stay_so(
    run_file: RunFile, ebmkit: Ebmkit, install: Install
) -> None:
    install("drifting", "drifting_plugin", DRIFTING.replace("TYPE", "float | None"))
    file = run_file("descriptor-only")
    file.write_text(file.read_text().replace("langevin", "drifting").replace("step_size = 0.03", ""))
    assert ebmkit("run", file, "--set", "run.iterations=1").code == 0
    assert "by" not in Path("runs/descriptor-only/config.toml").read_text()
    assert ebmkit("resume", "descriptor-only", "--set", "run.iterations=2").code == 0
    assert ebmkit("sample", "descriptor-only", "--count", 1).code == 0
    refused = ebmkit("resume", "descriptor-only", "--set", "revision.by=2")
    assert (refused.code, "revision.by  -     2.0" in refused.err) == (2, True)
    again = ebmkit("check", file, "--set", "revision.by=far").err
    assert "by: float, default not set" in again
    assert "by: float; default not set" in ebmkit("plugins", "show", "sampler/drifting").out


@pytest.mark.parametrize("kind", ["list[int]", "dict[str, float]", "object"])
def test_a_parameter_that_no_run_file_can_hold_is_told_of_the_plugin(
    kind: str, run_file: RunFile, ebmkit: Ebmkit, install: Install
) -> None:
    module = f"drifting_{kind[:4]}"  # each its own: a module is imported once
    install("drifting", module, DRIFTING.replace("TYPE", kind))
    outcome = ebmkit("check", run_file("descriptor-only"), "--set", "revision.use=drifting")
    assert outcome.code == 4
    assert f"parameter 'by' has the type {kind}, which a run file cannot hold" in outcome.err
    assert f"plugin '{module}' of drifting 1.2" in outcome.err
    checked = ebmkit("plugins", "check", "sampler/drifting", "--quick")
    assert checked.code == 4
    assert f"by has the type {kind}" in checked.out.replace("\n", " ").replace("  ", "")
