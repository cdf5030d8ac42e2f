from __future__ import annotations

import pytest

from ebmkit.errors import ConfigError
from ebmkit.registry.discovery import Registry, UnknownComponentError
from ebmkit.registry.selection import VARIABLE, Selection, switch_off
from ebmkit.requirements import DISTRIBUTION
from tests.conftest import Install
from tests.registry.test_discovery import SAMPLER


@pytest.mark.parametrize(
    ("variable", "off"),
    [
        (None, set()),
        ("", {"walks", "runs"}),
        ("walks", {"runs"}),
        ("someone-runs", {"walks"}),
        ("no:walks", {"walks"}),
        ("no:someone-walks:walks,no:mcmc", {"walks", "mcmc"}),
        ("walks, no:mcmc", {"runs", "mcmc"}),
        (",no:mcmc", {"walks", "runs", "mcmc"}),
    ],
)
def test_plugins_are_switched_off(
    install: Install, variable: str | None, off: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("someone-walks", "walks", SAMPLER.replace("NAME", "walk"))
    install("someone-runs", "runs", SAMPLER.replace("NAME", "run"))
    monkeypatch.delenv("EBMKIT_PLUGINS", raising=False)
    if variable is not None:
        monkeypatch.setenv("EBMKIT_PLUGINS", variable)
    registry = Registry.discover()
    assert {each.name for each in registry.switched_off} == off
    names = {each.name for each in registry.components("sampler")}
    assert names & {"walk", "run"} == {name[:-1] for name in {"walks", "runs"} - off}
    assert ("hmc" in names) == ("mcmc" not in off)
    if "walks" in off:
        with pytest.raises(UnknownComponentError, match=r"'walks' of someone-walks 1.2 is switched off"):
            registry.find("sampler", "walk")


def test_switching_off_what_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBMKIT_PLUGINS", "no:langevim")
    with pytest.raises(ConfigError, match=r"did you mean 'langevin'"):
        Registry.discover()


def test_a_name_is_that_of_the_plugin_its_distribution_or_both() -> None:
    for name in ("walks", "some-walks", "some-walks:walks"):
        only = Selection(only=frozenset({name}), without=frozenset())
        assert only.admits("walks", "some-walks")
        assert not only.admits("others", "some-others")
        assert not Selection(only=None, without=frozenset({name})).admits("walks", "some-walks")


def test_what_is_kept_out_stays_out_though_it_is_let_in_too() -> None:
    both = Selection(only=frozenset({"walks"}), without=frozenset({"some-walks"}))
    assert not both.admits("walks", "some-walks")


def test_ebmkits_own_are_let_in_beside_those_that_are_named_and_can_be_kept_out() -> None:
    own = ("mcmc", DISTRIBUTION)
    assert Selection(only=frozenset({"walks"}), without=frozenset()).admits(*own)
    assert not Selection(only=frozenset({"walks"}), without=frozenset({"mcmc"})).admits(*own)


def test_the_switches_of_a_command_add_to_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "walks")
    switch_off(["no:mcmc", "no:images"])
    found = Selection.from_environment()
    assert found == Selection(only=frozenset({"walks"}), without=frozenset({"mcmc", "images"}))


def test_a_switch_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ConfigError, match="-p takes no:NAME, which switches a plugin off, got 'mcmc'"):
        switch_off(["mcmc"])
    assert Selection.from_environment() == Selection(only=None, without=frozenset())
