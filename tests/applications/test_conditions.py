from __future__ import annotations

import pytest
import torch

from ebmkit.applications.conditions import class_named, conditions, of_class, plain_generator
from ebmkit.core import Chain, ConditionalGenerator, Rng
from ebmkit.errors import ConfigError
from ebmkit.testing.parts import TinyEnergy, TinyGenerator
from ebmkit_convnets import ConvDescriptor
from ebmkit_convnets.conditional import ClassGenerator
from ebmkit_coopnets import CoopNets
from ebmkit_langevin import Langevin

FLOWERS = ("daisy", "rose", "tulip")


def schedule(*, conditional: bool) -> CoopNets:
    shape, chain = (1, 8, 8), Chain(Langevin(step_size=0.1), 1)
    torch.manual_seed(0)
    if not conditional:
        return CoopNets(TinyEnergy(shape), TinyGenerator(shape), chain)
    generator = ClassGenerator(shape, classes=len(FLOWERS), latents=2, channels=(2,))
    energy = ConvDescriptor(shape, channels=(2,), kernels=(3,), strides=(2,))
    return CoopNets(energy, generator, chain).eval()


def test_a_class_is_called_by_its_name_first_and_by_its_number_where_none_is_called_so() -> None:
    assert [class_named(word, FLOWERS, of="it") for word in ("tulip", "2", "0")] == [2, 2, 0]
    assert class_named("0", ("1", "0"), of="it") == 1


@pytest.mark.parametrize("word", ["3", "-1", "roes", "", "9" * 5000])
def test_what_is_no_class_is_refused_with_those_there_are(word: str) -> None:
    with pytest.raises(ConfigError, match=r"run it knows no class .*there are: daisy, rose, tulip"):
        class_named(word, FLOWERS, of="it")
    with pytest.raises(ConfigError, match="run it has no classes to draw"):
        class_named(word, (), of="it")


def test_rows_take_all_classes_in_turn_or_the_one_that_is_wanted() -> None:
    turn, rose = (conditions(FLOWERS, wanted, first=4, count=5) for wanted in (None, 1))
    assert turn is not None
    assert rose is not None
    assert turn.tolist() == [row % 3 for row in range(4, 9)]
    assert rose.tolist() == [1] * 5
    assert turn.dtype == rose.dtype == torch.int64
    assert conditions((), None, first=0, count=5) is None


def test_parts_given_a_class_draw_what_its_condition_draws() -> None:
    whole = schedule(conditional=True)
    assert isinstance(whole.generator, ConditionalGenerator)
    z = whole.generator.prior(4, rng=Rng(0))
    for number, name in enumerate(FLOWERS):
        one = of_class(whole, FLOWERS, name, of="it").generator
        assert one is not None
        assert torch.equal(one(z), whole.generator.given(torch.full((4,), number))(z))
    assert of_class(whole, FLOWERS, None, of="it") is whole


def test_what_needs_a_plain_generator_asks_for_a_class_only_where_there_are_some() -> None:
    plain, conditional = schedule(conditional=False), schedule(conditional=True)
    assert plain_generator(plain, (), None, of="it") is plain
    with pytest.raises(ConfigError, match="name one with --condition; there are: daisy, rose, tulip"):
        plain_generator(conditional, FLOWERS, None, of="it")
    assert not isinstance(
        plain_generator(conditional, FLOWERS, "rose", of="it").generator, ConditionalGenerator
    )
    with pytest.raises(ConfigError, match="its data had none, or its parts take none"):
        plain_generator(plain, FLOWERS, "rose", of="it")  # labelled data, and parts that do not look
