from __future__ import annotations

import json
import platform
import shutil
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ebmkit.plugin import hookimpl
from ebmkit.registry.discovery import Registry
from ebmkit_fastconv.maps.transforms import _compile_once
from ebmkit_langevin.langevin import Langevin
from tests.conftest import Ebmkit, Install


def test_doctor_tells_what_there_is(ebmkit: Ebmkit) -> None:
    outcome = ebmkit("doctor")
    assert outcome.code == 0, outcome.out
    assert torch.__version__ in outcome.out
    assert "ebmkit-torch" in outcome.out
    findings = {line["what"]: line for line in json.loads(ebmkit("doctor", "--json").out)}
    assert findings["device"]["detail"].startswith(("cpu", "cuda"))
    assert all(finding["healthy"] for finding in findings.values())


def test_doctor_names_broken_plugins_and_conflicts(ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch) -> None:
    discover = Registry.discover

    def with_a_rival() -> Registry:
        registry = discover()
        rival = SimpleNamespace(ebmkit_samplers=hookimpl(lambda: {"langevin": Langevin}))
        registry.register(rival, name="rival", distribution="rival", version="1")
        broken = SimpleNamespace(ebmkit_samplers=hookimpl(lambda: 1 / 0))
        registry.register(broken, name="broken", distribution="broken", version="1")
        return registry

    monkeypatch.setattr(Registry, "discover", staticmethod(with_a_rival))
    outcome = ebmkit("doctor")
    assert outcome.code == 4
    assert "sampler 'langevin' is offered by ebmkit-torch and rival" in outcome.out
    assert "ZeroDivisionError" in outcome.out
    findings = json.loads(ebmkit("doctor", "--json").out)
    assert sum(not finding["healthy"] for finding in findings) == 2


def test_doctor_names_parts_that_cannot_be_imported(ebmkit: Ebmkit, install: Install) -> None:
    offer = """
        from ebmkit.plugin import hookimpl

        @hookimpl
        def ebmkit_samplers():
            return {"lost": "lost:Lost"}
    """
    lost = """
        import torch.no_such_part  # as of another release
        from ebmkit.core import Sampler

        class Lost(Sampler):
            def step(self, energy, state, rng):
                return state, {}
    """
    Path("lost.py").write_text(textwrap.dedent(lost))
    install("half-there", "half_there", offer)
    outcome = ebmkit("doctor")
    assert outcome.code == 4
    assert "sampler 'lost' (plugin 'half_there' of half-there 1.2) cannot be loaded" in outcome.out
    install("gone", "gone", "import no_such_package")
    assert "plugin 'gone' of gone 1.2 is broken: ModuleNotFoundError: No module" in ebmkit("doctor").out


@pytest.mark.skipif(platform.machine() != "x86_64", reason="what is compiled is for x86-64")
@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"EBMKIT_NATIVE": "0"}, "not compiled: EBMKIT_NATIVE=0"),
        ({"CC": "no-such-compiler", "PATH": ""}, "not compiled: no C compiler (no-such-compiler or gcc)"),
        ({"CC": "false"}, "not compiled: {false} failed: "),
    ],
)
def test_doctor_tells_whether_the_transforms_are_compiled_or_why_not(
    ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], line: str
) -> None:
    line = f"fastconv: transforms {line}"
    for name, value in {"XDG_CACHE_HOME": str(tmp_path), **environment}.items():
        monkeypatch.setenv(name, value)
    false = shutil.which("false")
    _compile_once.cache_clear()
    try:
        findings = {each["what"]: each for each in json.loads(ebmkit("doctor", "--json").out)}
    finally:
        _compile_once.cache_clear()
    assert findings["gradients"]["detail"].startswith(line.format(false=false))
    assert findings["gradients"]["healthy"]  # slower, and nothing else
