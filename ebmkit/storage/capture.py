"""From an experiment to a checkpoint, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.core import CooperativeScheduler
from ebmkit.errors import CheckpointError
from ebmkit.storage.checkpoint import BESIDE, Checkpoint, Tensors
from ebmkit.storage.facts import Facts
from ebmkit.training.loop import Experiment, Learner

__all__ = ["capture", "expected_bytes", "initialise", "restore", "tensors_of"]


def capture(experiment: Experiment, *, iteration: int, facts: Facts | None = None) -> Checkpoint:
    """The state of an experiment, copied to the CPU: training may go on while it is written."""
    files = tensors_of(experiment.schedule)
    beside: dict[str, Tensors] = {name: {} for name in BESIDE}
    for part, learner in experiment.learners.items():
        beside["optimizer"] |= _optimizer_tensors(part, learner)
        beside["averaged"] |= _averaged_tensors(part, learner)
    files |= {name: tensors for name, tensors in beside.items() if tensors}
    return Checkpoint(iteration, files, facts or Facts())


def tensors_of(schedule: CooperativeScheduler) -> dict[str, Tensors]:
    """The state of a schedule by file of a checkpoint: a child's under its name, the rest in ``schedule``."""
    files: dict[str, Tensors] = {}
    children = {name for name, _ in schedule.named_children()}
    for key, value in schedule.state_dict().items():
        child, _, rest = key.partition(".")
        file, name = (child, rest) if child in children else ("schedule", key)
        files.setdefault(file, {})[name] = value.detach().cpu().clone()
    return files


def restore(checkpoint: Checkpoint, experiment: Experiment) -> None:
    """Put a checkpoint's state into an experiment of the same plan.

    Raises:
        CheckpointError: it holds other tensors than the experiment, or other shapes.
    """
    try:
        experiment.schedule.load_state_dict(checkpoint.model_state())
        for part, learner in experiment.learners.items():
            _load_optimizer(part, learner, checkpoint.files.get("optimizer", {}))
            _load_averaged(part, learner, checkpoint.files.get("averaged", {}))
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(f"the checkpoint does not fit this run file: {error}") from None


def expected_bytes(experiment: Experiment) -> int:
    """About how large a checkpoint of this experiment is, once its optimizers have a state (two moments)."""
    state: int = sum(value.nbytes for value in experiment.schedule.state_dict().values())
    learned = [each for learner in experiment.learners.values() for each in learner.module.parameters()]
    moments: int = 2 * sum(each.nbytes for each in learned)
    averages = [learner.average.values for learner in experiment.learners.values() if learner.average]
    return state + moments + sum(each.nbytes for values in averages for each in values.values())


def initialise(experiment: Experiment, checkpoint: Checkpoint) -> list[str]:
    """Start the parts that a checkpoint of any other run holds from its weights; optimizers start anew.

    Returns:
        a line for each part: what was loaded, what was not, and what of the checkpoint was left.

    Raises:
        CheckpointError: they share no part, or a part has other tensors or shapes there.
    """
    shared = [part for part in experiment.learners if part in checkpoint.files]
    if not shared:
        held, wanted = ", ".join(checkpoint.files), ", ".join(experiment.learners)
        raise CheckpointError(f"nothing to start from: it holds {held}; this run has {wanted}")
    for part in shared:
        try:
            experiment.learners[part].module.load_state_dict(checkpoint.files[part])
        except RuntimeError as error:
            raise CheckpointError(f"its {part} is not the one of this run file: {error}") from None
    fresh = [f"{part}: not in it, starts from the seed" for part in experiment.learners if part not in shared]
    left = [f"{file}: left" for file in checkpoint.files if file not in shared]
    return [*(f"{part}: loaded" for part in shared), *fresh, *left]


def _optimizer_tensors(part: str, learner: Learner) -> Tensors:
    """The optimizer's state flattened: ``energy/3/exp_avg``."""
    state = learner.optimizer.state_dict()["state"]
    return {
        f"{part}/{index}/{name}": torch.as_tensor(value).detach().cpu().clone()
        for index, slots in state.items()
        for name, value in slots.items()
        if value is not None
    }


def _load_optimizer(part: str, learner: Learner, tensors: Tensors) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        owner, index, name = key.split("/")
        if owner == part:
            state.setdefault(int(index), {})[name] = value
    groups = learner.optimizer.state_dict()["param_groups"]
    learner.optimizer.load_state_dict({"state": state, "param_groups": groups})


def _averaged_tensors(part: str, learner: Learner) -> Tensors:
    """The averaged weights of a part: ``energy/updates``, ``energy/of.head.weight``."""
    state = {} if learner.average is None else learner.average.state_dict()
    return {f"{part}/{name}": value.cpu().clone() for name, value in state.items()}


def _load_averaged(part: str, learner: Learner, tensors: Tensors) -> None:
    """Go on with the average that was saved; where none was, one begins anew."""
    own = {
        key.removeprefix(f"{part}/"): value for key, value in tensors.items() if key.startswith(f"{part}/")
    }
    if learner.average is not None and own:
        learner.average.load_state_dict(own)
