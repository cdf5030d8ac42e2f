from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.config import ConfigProblemsError, read_document
from ebmkit.config.plan import make_plan
from ebmkit.registry.discovery import Registry
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("revision.use", "no sampler named 'malla'; installed: annealed, descent, hmc, langevin, mala"),
        ("energy.optimizer.use", "no optimizer named 'malla'; installed: adam, adamw, sgd"),
    ],
)
def test_an_unknown_part_alone_is_a_plugin_error(
    key: str, said: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    outcome = ebmkit("run", run_file("coopnets"), "--set", f"{key}=malla")
    assert outcome.code == 4
    assert said in outcome.err


def test_an_unknown_part_beside_another_mistake_is_an_error_of_the_file(run_file: RunFile) -> None:
    file = run_file("coopnets")
    codes = {}
    for sets in (["revision.use=malla"], ["revision.use=malla", "run.seed=x"], ["run.seed=x"]):
        with pytest.raises(ConfigProblemsError) as refused:
            make_plan(read_document(file, sets), Registry.discover())
        codes[" ".join(sets)] = refused.value.exit_code
    assert list(codes.values()) == [4, 2, 2]


def test_a_plan_without_its_data_is_made_where_they_are_gone(run_file: RunFile, images: Path) -> None:
    document = read_document(run_file("coopnets"))
    there = make_plan(document, Registry.discover())
    images.rename(images.with_name("elsewhere"))
    with pytest.raises(ConfigProblemsError, match="does not exist"):
        make_plan(document, Registry.discover())
    assert make_plan(document, Registry.discover(), data=False).tables() == there.tables()
