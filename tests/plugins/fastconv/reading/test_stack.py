from __future__ import annotations

import attrs
import pytest
import torch

from ebmkit_fastconv.reading.activations import Activation
from ebmkit_fastconv.reading.stack import Dense, Features, Stack, UnknownOperationError
from tests.plugins.fastconv.reading.symbols import ENERGY, HIDDEN, IMAGES, MAPS, X, numbers, weights


def test_sums_and_multiples_of_energies_are_energies() -> None:
    x, reference = weights(7, 6, seed=9), Stack(quadratic=0.3, offset=1.0)
    both = numbers(ENERGY, x) - 2 * numbers(reference, x)
    for pair in ((ENERGY, reference.times(-2)), (reference.times(-2), ENERGY)):
        assert torch.allclose(numbers(pair[0].plus(pair[1]), x), both, atol=1e-5)
    assert torch.allclose(numbers(ENERGY.times(-0.5), x), -0.5 * numbers(ENERGY, x), atol=1e-5)


def test_linear_layers_at_the_end_become_part_of_the_weight() -> None:
    last = Dense(weights(3, 5, seed=4), weights(3, seed=5)), Dense(weights(2, 3, seed=6), None)
    assert ENERGY.features is not None
    features = ENERGY.features.then(last[0], (3,)).then(last[1], (2,))
    deep = attrs.evolve(ENERGY, features=features, weight=weights(2, seed=7))
    collapsed, x = deep.collapsed(), weights(7, 6, seed=9)
    assert collapsed.features is not None
    assert collapsed.features.layers == ENERGY.features.layers
    assert torch.allclose(numbers(collapsed, x), numbers(deep, x), rtol=1e-5, atol=1e-5)
    assert ENERGY.collapsed() is ENERGY


def test_what_is_no_stack_of_layers_is_refused() -> None:
    with pytest.raises(UnknownOperationError, match="the sum of two networks"):
        ENERGY.plus(ENERGY)
    with pytest.raises(UnknownOperationError, match="is not a sum over one network's features"):
        Stack(quadratic=0.5).collapsed()
    for features in (X, HIDDEN):
        with pytest.raises(UnknownOperationError, match="a linear function of x itself"):
            Stack(features=features, weight=weights(*features.shape)).collapsed()


def test_the_form_is_everything_but_numbers() -> None:
    def form(features: Features) -> object:
        return Stack(features=features, weight=weights(5)).form

    first, convolution = HIDDEN.layers[0], MAPS.layers[0]
    assert isinstance(first, Dense)
    again = X.then(Dense(2 * first.weight, first.weight[:, 0]), (5,))
    assert form(HIDDEN) == form(again)
    assert hash(form(HIDDEN)) == hash(form(again))
    others = [
        X.then(Dense(first.weight, None), (5,)),
        X.then(Dense(first.weight[:4], first.bias), (4,)),
        HIDDEN.then(Activation("tanh"), (5,)),
        HIDDEN.then(Activation("leaky", 0.1), (5,)),
        HIDDEN.then(Activation("leaky", 0.2), (5,)),
        MAPS,
        IMAGES.then(attrs.evolve(convolution, stride=2), (3, 2, 2)),
        IMAGES.then(attrs.evolve(convolution, padding=0), (3, 2, 2)),
    ]
    assert len({form(each) for each in (HIDDEN, *others)}) == 1 + len(others)
