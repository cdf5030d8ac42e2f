"""Starts a run in a new folder, or goes on with one from its newest checkpoint."""

from __future__ import annotations

import platform
from contextlib import ExitStack
from functools import partial

import attrs
import torch
from rich.console import Console

from ebmkit import __version__
from ebmkit.config.changes import Allowed, refuse_changes
from ebmkit.config.plan import Plan, key_of
from ebmkit.core import world
from ebmkit.errors import CheckpointError
from ebmkit.messages.streams import outliving
from ebmkit.report import OutputLog, say, warn
from ebmkit.run.build import build_experiment
from ebmkit.run.cautions import cautions
from ebmkit.run.inspection import Inspector
from ebmkit.run.judging import Evaluations
from ebmkit.run.outputs import Ending, Grids, Metrics, Page, Progress
from ebmkit.run.processes import Crew, joined
from ebmkit.run.recorders import Every, Figures, Recorders
from ebmkit.run.rollback import GuardedTraining
from ebmkit.run.saving import Checkpoints
from ebmkit.run.session import Session
from ebmkit.run.signals import StopFlag
from ebmkit.run.tracking import Tracking
from ebmkit.run.watching import Watch, Watching
from ebmkit.storage.capture import expected_bytes, initialise
from ebmkit.storage.checkpoint import Checkpoint, newest_checkpoint
from ebmkit.storage.export import open_saved, refuse_export
from ebmkit.storage.facts import DataFacts, Facts, Origin
from ebmkit.storage.folder import RunFolder
from ebmkit.training.guard import Guard
from ebmkit.training.loop import Experiment

__all__ = ["facts_of", "look_for_room", "restore_newest", "resume_run", "session_of", "start_run"]

_MOST_THREADS = 4096


def start_run(
    plan: Plan,
    folder: RunFolder,
    console: Console,
    *,
    stop: StopFlag | None = None,
    source: RunFolder | None = None,
    watch: Watch | None = None,
) -> int:
    """Train from iteration 0 in a new folder.

    Args:
        plan: what to train.
        folder: where; a new one.
        console: what the run says.
        stop: ends it early when a signal came; none ends with its iterations alone.
        source: another run, whose weights the parts that both have start from.
        watch: is shown the figures of every iteration that is logged.

    Returns:
        the exit code: 0 done, 130 after Ctrl-C, 75 after a signal of a batch system; saved in each case.
        What cannot be printed changes nothing of it: the run folder's ``output.log`` says so.

    Raises:
        EbmkitError: what went wrong, with its exit code.
    """
    stop = stop or StopFlag()
    with outliving() as lost, joined(timeout=plan.run.rank_timeout) as crew, ExitStack() as held:

        def prepare() -> Session:
            if crew.leads:
                folder.refuse_existing()
            experiment = build_experiment(plan)
            Inspector(plan, experiment).examine(0)
            facts = facts_of(plan, experiment)
            voice = _voice(crew, console)
            for caution in cautions(plan, experiment):
                warn(voice, f"warning: {caution}")
            if source is not None:
                facts = attrs.evolve(facts, origin=_start_from(source, experiment, voice))
            stop.keep()
            if crew.leads:
                folder.create()
                held.enter_context(folder.locked())
                look_for_room(plan, folder, experiment, voice)
            training = GuardedTraining(plan, folder.checkpoints, experiment, Guard(plan.guard), crew)
            unheard = OutputLog(folder.output_log, lost)
            session = session_of(
                folder, training, facts, console=voice, stop=stop, unheard=unheard, watch=watch
            )
            if source is not None:
                training.guard.trusted.append(0)  # going back to the start means to these weights
            if crew.leads:
                if source is not None:  # a run that is killed before its next save resumes with them
                    session.checkpoints.save(0)
                folder.write_config(plan.tables())
            return session

        return crew.agreed(prepare).run(start=0)


def resume_run(
    plan: Plan,
    folder: RunFolder,
    console: Console,
    *,
    stop: StopFlag | None = None,
    allowed: Allowed | None = None,
    watch: Watch | None = None,
) -> int:
    """Go on from the newest good checkpoint; the result is that of an uninterrupted run.

    Args:
        plan: the run's own, with what may differ.
        folder: of the run.
        console: what the run says.
        stop: ends it early when a signal came.
        allowed: which changes since the checkpoint are accepted.
        watch: as of ``start_run``.

    Returns:
        the exit code, as ``start_run``.

    Raises:
        EbmkitError: no good checkpoint, other data, or what went wrong in training.
    """
    refuse_export(folder)
    stop = stop or StopFlag()
    with outliving() as lost, joined(timeout=plan.run.rank_timeout) as crew, ExitStack() as held:
        voice = _voice(crew, console)

        def prepare() -> tuple[Session, int]:
            if crew.leads:
                held.enter_context(folder.locked())
            experiment = build_experiment(plan)
            if crew.leads:
                look_for_room(plan, folder, experiment, voice)
            facts = facts_of(plan, experiment)
            training = GuardedTraining(plan, folder.checkpoints, experiment, Guard(plan.guard), crew)
            checkpoint = restore_newest(plan, training, facts, allowed or Allowed(), voice)
            if checkpoint is not None:
                facts = attrs.evolve(facts, origin=checkpoint.facts.origin)
            start = 0 if checkpoint is None else checkpoint.iteration
            unheard = OutputLog(folder.output_log, lost)
            session = session_of(
                folder, training, facts, console=voice, stop=stop, unheard=unheard, watch=watch
            )
            return session, start

        session, start = crew.agreed(prepare)
        if start >= plan.run.iterations:
            further = f"ebmkit resume {folder.name} --set run.iterations={2 * start} trains further"
            say(voice, f"nothing to do: {start}/{plan.run.iterations} iterations are done; {further}")
            return 0
        stop.keep()
        if crew.leads:
            folder.write_config(plan.tables())
        return session.run(start=start)


def session_of(
    folder: RunFolder,
    training: GuardedTraining,
    facts: Facts,
    *,
    console: Console,
    stop: StopFlag,
    unheard: OutputLog,
    watch: Watch | None = None,
) -> Session:
    """A session with the recorders of every run."""
    plan, figures = training.plan, Figures()
    run = plan.run
    logged = Every(run.log_every, run.iterations, first=True)
    drawn = Every(run.samples_every, run.iterations)
    progress = Progress(console, run.iterations, logged, figures)
    saves = Every(run.checkpoint_every, run.iterations)
    checkpoints = Checkpoints(folder, training, facts, saves, progress.saved)
    judged = Every(plan.evaluation.every, run.iterations) if plan.evaluation.every else _never
    members = [
        Evaluations(plan, folder, judged, figures, checkpoints, progress.say),
        Metrics(folder, lambda at: logged(at) or judged(at), figures),
        progress,
        Grids(folder, drawn),
        Ending(folder),
        *([] if watch is None else [Watching(watch, lambda at: logged(at) or judged(at), figures)]),
        *_trackers(plan, folder, logged, drawn, figures),
        checkpoints,  # after those whose files it syncs
        Page(folder),
    ]
    recorders = Recorders(members, progress.say)
    return Session(
        plan, folder, training, recorders, checkpoints, progress, training.crew, console, stop, unheard
    )


def _never(iteration: int) -> bool:
    del iteration
    return False


def _trackers(plan: Plan, folder: RunFolder, logged: Every, drawn: Every, figures: Figures) -> list[Tracking]:
    """One recorder for each table ``[trackers.NAME]``."""
    parts = {name: part for name, part in plan.parts.items() if key_of(name)[0] == "trackers"}
    return [
        Tracking(
            f"tracker {key_of(name)[-1]!r}",
            partial(part.component.factory, **part.values),
            folder,
            plan.tables(),
            logged,
            drawn,
            figures,
        )
        for name, part in parts.items()
    ]


def _start_from(source: RunFolder, experiment: Experiment, console: Console) -> Origin:
    """Initialise from another run's newest good checkpoint, say what was taken; which it was."""
    checkpoint = open_saved(source)
    say(console, f"from {source.path}, iteration {checkpoint.iteration}")
    for line in initialise(experiment, checkpoint):
        say(console, f"  {line}")
    return Origin(str(source.path), checkpoint.iteration)


def look_for_room(plan: Plan, folder: RunFolder, experiment: Experiment, console: Console) -> None:
    """Warn or refuse where the disk is too full for the checkpoints of the run."""
    size, best = expected_bytes(experiment), plan.evaluation.every > 0
    warning = folder.room_for(size, keep=plan.run.keep, best=best)
    if warning:
        warn(console, f"warning: {warning}")


def _voice(crew: Crew, console: Console) -> Console:
    """One of several processes speaks."""
    return console if crew.leads else Console(quiet=True)


def restore_newest(
    plan: Plan, training: GuardedTraining, facts: Facts, allowed: Allowed, console: Console
) -> Checkpoint | None:
    """Put the newest good checkpoint into the training, where there is one."""
    if not any(training.checkpoints.glob("iteration-*")):
        return None
    checkpoint, refused = newest_checkpoint(training.checkpoints)
    for line in refused:
        warn(console, f"warning: skipped a damaged checkpoint: {line}")

    def place(key: str) -> str:
        return plan.document.place(tuple(key.split(".")))

    then = checkpoint.facts
    data = [attrs.asdict(each) if each is not None else {} for each in (then.data, facts.data)]
    for line in refuse_changes((then.config, facts.config), data, allowed, place=place):
        warn(console, line)
    _restore_threads(checkpoint, console)
    training.resume(checkpoint)
    return checkpoint


def facts_of(plan: Plan, experiment: Experiment) -> Facts:
    """What a checkpoint must remember beside tensors; the guard's memory is added at every save."""
    source = experiment.batches.source
    return Facts(
        config=plan.tables(),
        data=DataFacts(tuple(source.shape), len(source), source.fingerprint(), source.classes),
        plugins={each.distribution: each.version for each in plan.components()},
        threads=torch.get_num_threads(),
        processes=world().size,
        versions={"ebmkit": __version__, "torch": torch.__version__, "python": platform.python_version()},
    )


def _restore_threads(checkpoint: Checkpoint, console: Console) -> None:
    """Sums split over another number of threads round differently, so a resumed run keeps its own."""
    before, now = checkpoint.facts.processes, world().size
    if before != now:
        message = f"saved by {before} processes, goes on with {now}: "
        say(console, message + "the same batches and noise, sums that round differently")
        return
    threads = checkpoint.facts.threads
    if threads is None:
        return
    if not 0 < threads <= _MOST_THREADS:
        raise CheckpointError(f"the checkpoint was written by {threads} threads, which cannot be")
    if threads != torch.get_num_threads():
        say(console, f"using {threads} threads, as the run did when it was saved")
        torch.set_num_threads(threads)
