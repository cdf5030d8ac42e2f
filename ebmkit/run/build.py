"""From a plan to an experiment: opens the data, builds the parts, hands them to each other by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ebmkit.config import ConfigProblemsError, Key, Signature, beside
from ebmkit.config.plan import Part, Plan, key_of
from ebmkit.config.slots import BESIDE
from ebmkit.core import Chain, CooperativeScheduler, Energy, Optimizer, Rng, Source, Weighted
from ebmkit.errors import CheckpointError, ConfigError, DataError, EbmkitError, PluginError, RunDirectoryError
from ebmkit.messages.blame import place_in
from ebmkit.messages.quoting import quoted, shortened
from ebmkit.run.fit import DEBUG, LONGEST, check_shapes, part_shapes, refused
from ebmkit.run.trained import open_trained
from ebmkit.storage.folder import find_run
from ebmkit.training.batches import Batches
from ebmkit.training.guard import Rollback, easing
from ebmkit.training.loop import Experiment, Learner

__all__ = ["assemble", "build_experiment", "build_schedule", "choose_device", "open_source"]

_LOOKED_AT = 16


def choose_device(name: str) -> torch.device:
    """The device of ``[run] device``: ``auto`` is a GPU where torch sees one.

    Of several processes on one machine each takes the GPU of its number there (LOCAL_RANK).

    Raises:
        ConfigError: ``cuda`` where there is none, or more processes than GPUs.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError('device = "cuda", but torch sees no GPU here: write device = "auto" or "cpu"')
    if name == "cpu" or not available:
        return torch.device("cpu")
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return torch.device("cuda")
    number = int(os.environ.get("LOCAL_RANK", "0"))
    if number >= torch.cuda.device_count():
        raise ConfigError(
            f"process {number} of this machine has no GPU of its own: there are {torch.cuda.device_count()}; "
            'start as many processes, or write device = "cpu"'
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def open_source(plan: Plan) -> Source:
    """The data of a plan.

    Raises:
        ConfigProblemsError: missing, empty or unreadable, with the path, placed at the table.
    """
    part = plan.parts["data"]
    source: Source = _construct(plan, ("data",), part, {})
    if len(source) == 0:
        raise DataError(f"[data] use = {part.component.name!r} holds no example")
    if 0 in source.shape:
        raise DataError(
            f"[data] use = {part.component.name!r} holds examples without a number: {tuple(source.shape)}"
        )
    _refuse_identical(source)
    return source


def _refuse_identical(source: Source) -> None:
    """Nothing can be learned from copies of one example: a wrong folder, a blank download.

    A few are looked at, spread evenly: large sets are streamed, and may begin with copies.
    """
    count = min(len(source), _LOOKED_AT)
    examples = source[torch.arange(count) * len(source) // count]
    if count > 1 and (examples == examples[0]).all():
        raise DataError(f"all {count} examples that were looked at, of {len(source)}, are identical")


def build_schedule(
    plan: Plan, *, shape: tuple[int, ...], examples: int, device: torch.device, classes: int = 0
) -> CooperativeScheduler:
    """The schedule with its parts, freshly initialised from the seed, on the device.

    Each part draws its weights from a stream of its own, so that swapping the energy leaves the
    generator's start as it was.

    Args:
        plan: what to build.
        shape: of one example.
        examples: how many there are.
        device: where the parts will live.
        classes: of the data; 0 where they have none.

    Raises:
        ConfigProblemsError: parts refused their values or the shape, each placed at its table.
    """
    parts: dict[str, Any] = {"examples": examples, "classes": classes}
    shapes = part_shapes(plan, shape)
    faults: dict[str, ConfigProblemsError] = {}
    for name, part in plan.parts.items():
        table, *inside = key = key_of(name)
        if table in BESIDE:
            continue
        if any(slot.name in faults for slot in part.component.signature.parts):
            continue  # it would take that part
        of_part = shapes.get(name, shape)
        parts |= {"shape": of_part, "trained": partial(_trained_energy, shape=of_part)}
        try:
            built = _construct(plan, key, part, parts)
        except ConfigProblemsError as error:
            faults[table] = error
        else:
            made = Chain(built, **part.shared) if part.component.kind == "sampler" else built
            if inside:
                parts.setdefault(table, {})[inside[0]] = made
            else:
                parts[table] = made
    if faults:
        raise _together(plan, list(faults.values()))
    schedule: CooperativeScheduler = parts["schedule"]
    check_shapes(plan, parts, shape, shapes)
    return schedule.to(device)


def _together(plan: Plan, errors: Sequence[ConfigProblemsError]) -> ConfigProblemsError:
    """What several parts refused, as one error; that of one part is its own, of whatever file it is."""
    if len(errors) == 1:
        return errors[0]
    problems = [problem for error in errors for problem in error.problems]
    return ConfigProblemsError(problems, file=plan.document.file)


def build_experiment(
    plan: Plan, *, source: Source | None = None, rollbacks: Sequence[Rollback] = ()
) -> Experiment:
    """Everything a training needs, at iteration 0.

    Args:
        plan: what to build.
        source: its data, where they are open already.
        rollbacks: all there were; their number decides the noise, their factors the step and the rates.

    Raises:
        EbmkitError: whatever does not fit, with its place.
    """
    device = choose_device(plan.run.device)
    source = source or open_source(plan)
    plan = plan.eased(*easing(rollbacks))
    schedule = build_schedule(
        plan, shape=source.shape, examples=len(source), device=device, classes=len(source.classes)
    )
    return assemble(plan, schedule, source, device=device, rollbacks=rollbacks)


def assemble(
    plan: Plan,
    schedule: CooperativeScheduler,
    source: Source,
    *,
    device: torch.device,
    rollbacks: Sequence[Rollback] = (),
) -> Experiment:
    """An experiment of a schedule that is there already, with its optimizers at their start.

    Args:
        plan: what to train, and how; eased as much as these rollbacks say.
        schedule: with its parts.
        source: the data.
        device: where the parts live.
        rollbacks: all there were; their number decides the noise.
    """
    rng = Rng(plan.run.seed)
    keys = plan.parts["data"].shared
    batches = Batches(
        source, size=keys["batch"], rng=rng.fold_in("batches"), device=device, workers=keys["workers"]
    )
    learners = {
        name: Learner(schedule.get_submodule(name), _optimizer(plan, name, part), part.averaging)
        for name, part in plan.parts.items()
        if part.learning and _learns(schedule.get_submodule(name))
    }
    noise = rng.fold_in("rollback", len(rollbacks)) if rollbacks else rng
    noise = noise.of_chain(batches.rows.start)
    return Experiment(schedule, learners, batches, noise, plan.run.precision, plan.run.verify)


class _weights_of:  # noqa: N801 - reads as a clause of `with`
    """Draw a part's initial weights from its own seed and give torch's global generator back."""

    def __init__(self, seed: int, table: str) -> None:
        self.seed = Rng(seed).fold_in("weights", table).key >> 1
        self.forked = torch.random.fork_rng(devices=[])

    def __enter__(self) -> None:
        self.forked.__enter__()
        torch.manual_seed(self.seed)

    def __exit__(self, *details: Any) -> None:
        self.forked.__exit__(*details)


def _construct(plan: Plan, key: Key, part: Part, parts: dict[str, Any]) -> Any:
    """Call the component with its keywords and the parts it names, after those that it is made of."""
    given = parts | _construct_nested(plan, key, part, parts)
    signature: Signature = part.component.signature
    given = {slot.name: given[slot.name] for slot in signature.parts if slot.name in given}
    try:
        with _weights_of(plan.run.seed, ".".join(key)):
            return part.component.factory(**given, **part.values)
    except ConfigProblemsError:  # of the run file of another run, whose energy is taken
        raise
    except (CheckpointError, ConfigError, DataError, RunDirectoryError) as error:
        place = [name for name in ("path", "run") if name in part.values]
        message, helps = shortened(str(error), LONGEST), beside(plan.document.file, part.values.get("path"))
        problem = plan.document.problem("E111", message, (*key, *place), value=bool(place), helps=helps)
        raise ConfigProblemsError([problem], file=plan.document.file) from error
    except ValueError as error:
        owner = f"{part.component.kind} {part.component.name!r} of {part.component.distribution}"
        raise refused(
            plan, key, f"{owner} refuses these settings: {shortened(str(error), LONGEST)}"
        ) from error
    except EbmkitError:
        raise
    except Exception as error:
        line = place_in(error, part.component.factory)
        told = f"cannot be built: {type(error).__name__}: {error}" + (f"\n  at {line}" if line else "")
        raise PluginError(f"{part.component.owner} {told}\n{DEBUG}") from error


def _construct_nested(plan: Plan, key: Key, part: Part, parts: dict[str, Any]) -> dict[str, Any]:
    """The parts inside a part, as ``part`` and ``parts``."""
    built = {place: _construct(plan, (*key, *place), inner, parts) for place, inner in part.nested.items()}
    several = {
        place[1]: Weighted(energy, part.nested[place].shared["weight"])
        for place, energy in built.items()
        if place[1:]
    }
    return {"part": built[("part",)]} if ("part",) in built else {"parts": several}


def _optimizer(plan: Plan, name: str, part: Part) -> Optimizer:
    optimizer: Optimizer = _construct(plan, (*key_of(name), "optimizer"), part.learning["optimizer"], {})
    return optimizer


def _learns(module: torch.nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def _trained_energy(run: str, *, shape: tuple[int, ...], inside: tuple[Path, ...] = ()) -> Energy:
    """The energy of another run as its newest good checkpoint has it, for examples of this shape.

    Raises:
        EbmkitError: no such run or checkpoint, a run made of itself, or weights for another shape.
    """
    folder = find_run(run)
    path = folder.path.resolve()
    if path in inside:
        raise ConfigError(f"run {quoted(run)} is made of itself")
    plan, checkpoint = open_trained(folder)
    if "energy" not in plan.parts:
        raise ConfigError(f"run {quoted(run)} has no energy")
    data = checkpoint.trained_on
    trained = partial(_trained_energy, shape=shape, inside=(*inside, path))
    parts = {"shape": shape, "examples": data.examples, "classes": len(data.classes), "trained": trained}
    energy: Energy = _construct(plan, ("energy",), plan.parts["energy"], parts)
    try:
        energy.load_state_dict(checkpoint.files.get("energy", {}))
    except RuntimeError:
        raise ConfigError(
            f"the energy of run {quoted(run)} has weights for examples of shape {data.shape}, "
            f"not for {tuple(shape)}"
        ) from None
    return energy
