"""Parts that a program built, told as a run file would tell them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import torch

import ebmkit as face
from ebmkit.config import GuardTable, RunTable
from ebmkit.config.plan import Plan
from ebmkit.config.tables import EvaluationTable
from ebmkit.core import Chain, CooperativeScheduler, Optimizer, TensorSource
from ebmkit.errors import ConfigError
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_schedule
from ebmkit.run.handmade import plan_of
from ebmkit_convnets import ConvDescriptor
from ebmkit_coopnets import DescriptorOnly
from ebmkit_langevin import Langevin
from ebmkit_optim.sgd import SGD
from tests.run.test_program import (  # noqa: F401 - a fixture
    SHAPE,
    Bowl,
    _in_a_folder_of_its_own,
    images,
    new,
    parts,
)


def test_a_part_that_was_changed_after_it_was_built_is_not_told_as_a_plugins() -> None:
    schedule = parts()
    assert isinstance(schedule.energy, ConvDescriptor)
    schedule.energy.reference_std = 0.5  # no run file says so
    new("changed", schedule)
    with pytest.raises(ConfigError, match="parts that a program built"):
        face.load("changed")


def told(schedule: CooperativeScheduler, **optimizers: Optimizer) -> Plan:
    return plan_of(
        schedule,
        TensorSource(images()),
        Registry.discover(),
        run=RunTable(iterations=1),
        guard=GuardTable(),
        evaluation=EvaluationTable(),
        data={"batch": 5, "workers": 0},
        optimizers=optimizers,
    )


def bowl(start: float = 2.0) -> DescriptorOnly:
    return DescriptorOnly(Bowl(start=start), Chain(Langevin(step_size=0.1), 1), SHAPE, chains=3)


def test_parts_of_plugins_are_told_by_name_with_what_they_were_built_with() -> None:
    plan = told(parts(), energy=SGD(lr=0.25, momentum=0.5))
    assert {name: part.use for name, part in plan.parts.items() if name != "data"} == {
        "energy": "descriptor",
        "generator": "generator",
        "revision": "langevin",
        "schedule": "coopnets",
    }
    energy, revision = plan.parts["energy"], plan.parts["revision"]
    assert (energy.values["channels"], energy.values["reference_std"]) == ((4,), 0.3)
    assert (revision.values["step_size"], revision.shared["steps"]) == (0.03, 2)
    assert energy.learning["optimizer"].use == "sgd"
    assert energy.learning["optimizer"].values["momentum"] == 0.5


def test_what_such_a_plan_builds_is_like_the_parts_that_it_tells_of() -> None:
    schedule = parts()
    built = build_schedule(told(schedule), shape=SHAPE, examples=12, device=torch.device("cpu"))
    shapes = [{name: each.shape for name, each in of.state_dict().items()} for of in (built, schedule)]
    assert shapes[0] == shapes[1]
    assert built.revision == schedule.revision


def test_who_learns_and_has_no_optimizer_gets_adam_and_who_does_not_learn_none() -> None:
    schedule = parts()
    assert {name: "optimizer" in part.learning for name, part in told(schedule).parts.items()} == {
        "data": False,
        "energy": True,
        "generator": True,
        "revision": False,
        "schedule": False,
    }
    assert told(schedule).parts["energy"].learning["optimizer"].use == "adam"
    assert schedule.generator is not None
    schedule.generator.requires_grad_(False)
    assert not told(schedule).parts["generator"].learning


def test_parts_of_the_programs_own_are_told_with_the_numbers_that_are_known_of_them() -> None:
    plan = told(bowl(start=2.5))
    energy = plan.parts["energy"]
    assert (energy.use, energy.values) == ("program:tests.run.test_program.Bowl", {"start": 2.5})
    assert plan.parts["revision"].use == "langevin"
    assert plan.parts["data"].use == "program:ebmkit.core.tensors.TensorSource"


def test_an_optimizer_of_the_programs_own_is_told_with_all_that_it_is_built_from() -> None:
    """After a divergence it is built anew, with a smaller rate."""

    @attrs.frozen(kw_only=True)
    class Slow(Optimizer):
        patience: int = 3

        def build(self, parameters: Any) -> torch.optim.Optimizer:
            return torch.optim.SGD(parameters, self.lr)

    optimizer = told(bowl(), energy=Slow(lr=0.5, patience=7)).parts["energy"].learning["optimizer"]
    assert (optimizer.values["lr"], optimizer.values["patience"]) == (0.5, 7)
    assert optimizer.component.factory(**optimizer.values) == Slow(lr=0.5, patience=7)


def test_every_change_of_a_part_after_it_was_built_is_noticed() -> None:
    assert not told(parts()).parts["energy"].use.startswith("program:")

    def frozen(schedule: CooperativeScheduler) -> None:
        schedule.energy.register_buffer("mask", torch.ones(2))

    def longer(schedule: CooperativeScheduler) -> None:
        schedule.chains = 77  # type: ignore[attr-defined]

    def swapped(schedule: CooperativeScheduler) -> None:
        schedule.energy.head = torch.nn.Identity()  # type: ignore[assignment]

    for change in (frozen, longer, swapped):
        schedule = parts()
        change(schedule)
        uses = {name: part.use for name, part in told(schedule).parts.items()}
        assert uses["schedule"].startswith("program:"), change
        assert uses["energy"] == "program:ebmkit_convnets.descriptor.ConvDescriptor"
        assert uses["revision"] == "langevin"  # a chain is told by its values, which cannot be changed
