from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Ebmkit


def iterations() -> list[int]:
    """Those that the run has logged."""
    lines = Path("runs/coopnets/metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["iteration"] for line in lines]


@pytest.mark.usefixtures("exported")
def test_a_run_is_called_by_its_name_its_path_or_not_at_all_where_it_is_the_last(ebmkit: Ebmkit) -> None:
    for more, words in enumerate((["coopnets"], ["runs/coopnets"], []), 7):
        outcome = ebmkit("resume", *words, "--set", f"run.iterations={more}", "--accept-data-change")
        assert outcome.code == 0, outcome.err
        assert iterations() == [*range(1, more + 1)]


@pytest.mark.usefixtures("exported")
def test_of_two_changes_each_is_allowed_by_its_own_option(ebmkit: Ebmkit) -> None:
    Path("images/00.png").unlink()
    more = ("resume", "coopnets", "--set", "run.iterations=7", "--set", "revision.steps=4")
    more = (*more, "--set", f"data.path={Path('images').absolute()}")
    settings = ("--allow-change", "revision.steps", "--allow-change", "data.path")
    data = ("--accept-data-change",)
    for options, told in (((), "revision.steps"), (data, "revision.steps"), (settings, "data.examples")):
        refused = ebmkit(*more, *options)
        assert refused.code == 2
        assert told in refused.err
        assert iterations()[-1] == 6
    assert ebmkit(*more, *settings, *data).code == 0
    assert iterations()[-1] == 7


@pytest.mark.usefixtures("exported")
def test_a_key_that_does_not_exist_is_told_before_the_run_goes_on(ebmkit: Ebmkit) -> None:
    outcome = ebmkit("resume", "coopnets", "--set", "run.iteration=9")
    assert outcome.code == 2
    assert "did you mean 'iterations'?" in outcome.err
    assert iterations()[-1] == 6
