"""Every error ebmkit reports on purpose, each with the exit code of the command that meets it."""

from __future__ import annotations

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DivergedError",
    "EbmkitError",
    "EndedBySignal",
    "InconclusiveError",
    "LostProcessError",
    "PluginError",
    "RunDirectoryError",
    "RunDirectoryInUseError",
    "StreamError",
    "TrainingError",
    "WrongGradientError",
]


class EbmkitError(Exception):
    """An error with a message for people: what, where, what to do. Shown without a traceback.

    Attributes:
        exit_code: of the command that meets it.
        silent: another process of the same training shows it.
    """

    exit_code = 1
    silent = False


class ConfigError(EbmkitError):
    """The run file or an override is wrong; nothing was started."""

    exit_code = 2


class DataError(EbmkitError):
    """The data are missing, unreadable or do not fit the parts."""

    exit_code = 2


class RunDirectoryError(EbmkitError):
    """The run folder exists already, does not exist, or cannot be written."""

    exit_code = 2


class TrainingError(EbmkitError):
    """Training failed while it ran."""

    exit_code = 3


class LostProcessError(TrainingError):
    """Another process of the training is gone, or did not come in time."""


class InconclusiveError(EbmkitError):
    """What was measured leaves a figure too uncertain to report."""

    exit_code = 3


class StreamError(EbmkitError):
    """A command's output cannot be written to where it was directed."""

    exit_code = 3


class PluginError(EbmkitError):
    """A plugin is missing, broken or misbehaves."""

    exit_code = 4


class CheckpointError(EbmkitError):
    """A checkpoint is damaged or does not fit; it was refused."""

    exit_code = 5


class DivergedError(EbmkitError):
    """A loss, gradient or sample stopped being finite; no weight was changed by it."""

    exit_code = 6


class RunDirectoryInUseError(EbmkitError):
    """Another process is training in this run folder."""

    exit_code = 7


class WrongGradientError(EbmkitError):
    """A gradient that a fast path computed is not autograd's: found where verification is on."""


class EndedBySignal(SystemExit):
    """A signal ends the process: told from a plugin that calls ``sys.exit`` while it is loaded."""
