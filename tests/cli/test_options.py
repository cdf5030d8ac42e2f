from __future__ import annotations

import pytest

from ebmkit.cli.options import split_component, which
from ebmkit.errors import ConfigError
from ebmkit.storage.best import Which
from tests.conftest import Ebmkit, Install


def test_a_kind_alone_lists_its_parts(ebmkit: Ebmkit) -> None:
    for kind in ("generator", "generators"):
        outcome = ebmkit("plugins", "show", kind)
        assert outcome.code == 2
        assert f"{kind} is a kind of parts; there are generator/class-generator, generator/g" in outcome.err


@pytest.mark.parametrize(("word", "meant"), [("newest", "newest"), ("best", "best"), ("0", 0), ("0005", 5)])
def test_a_checkpoint_is_called_by_its_iteration_or_by_a_word(word: str, meant: Which) -> None:
    assert which(word) == meant


@pytest.mark.parametrize("word", ["-1", "1.0", "bestt", "", "٣", "²"])
def test_what_is_no_iteration_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="--checkpoint takes an iteration or best; got "):
        which(word)


def test_an_iteration_of_thousands_of_digits_is_one_that_no_run_has() -> None:
    assert which("9" * 5000) == 10**18 - 1


def test_a_part_is_called_by_its_kind_in_one_or_many_or_by_a_name_that_only_it_has() -> None:
    for spelling in ("sampler/langevin", "samplers/langevin", "langevin"):
        assert split_component(spelling) == ("sampler", "langevin")
    with pytest.raises(ConfigError, match=r"'samplr/langevin' is not KIND/NAME; .*did you mean 'sampler'\?"):
        split_component("samplr/langevin")


def test_a_name_that_parts_of_several_kinds_have_is_asked_back(install: Install) -> None:
    install(
        "rival",
        "rival_of_descriptor",
        """
        from ebmkit.plugin import hookimpl
        from ebmkit_langevin import Langevin

        @hookimpl
        def ebmkit_samplers():
            return {"descriptor": Langevin}
        """,
    )
    with pytest.raises(ConfigError, match=r"did you mean energy/descriptor or sampler/descriptor\?"):
        split_component("descriptor")
