from __future__ import annotations

from typing import Any

import pytest
import torch

from ebmkit_convnets.conditional import ClassDescriptor, ClassGenerator
from tests.models import double
from tests.plugins.convnets.networks import LAYERS, middle_rows


def test_the_marginal_energy_of_the_descriptor_is_that_of_its_classes() -> None:
    torch.manual_seed(0)
    energy = ClassDescriptor((1, 16, 16), 3, channels=(4,), kernels=(3,), strides=(2,), reference_std=0.5)
    x = torch.rand(4, 1, 16, 16)
    each = torch.stack([energy.given(torch.tensor([number]))(x) for number in range(3)])
    assert torch.allclose(energy(x), -(-each).logsumexp(0))
    assert torch.allclose(energy.scores(x).softmax(1), (-each).softmax(0).T)  # p(c | x)


def test_a_class_of_the_generator_is_one_linear_map_of_latents_and_one_hot() -> None:
    torch.manual_seed(0)
    generator = ClassGenerator((1, 16, 16), 3, latents=5, channels=(4, 2)).eval()
    z, c = torch.randn(6, 5), torch.arange(6) % 3
    weight = torch.cat([generator.project.weight, generator.of_class.weight.T], 1)
    both = torch.cat([z, torch.nn.functional.one_hot(c, 3)], 1)
    start = torch.nn.functional.linear(both, weight, generator.project.bias)
    expected = torch.tanh(generator.layers(start.unflatten(1, generator.base)))
    assert torch.allclose(generator.given(c)(z), expected, atol=1e-6)


def test_the_class_descriptor_of_a_sequence_is_that_of_an_image_one_pixel_high() -> None:
    torch.manual_seed(0)
    of_images = ClassDescriptor((2, 1, 24), 3, reference_std=0.3, **LAYERS).double()
    of_sequences = ClassDescriptor((2, 24), 3, reference_std=0.3, **LAYERS).double()
    of_sequences.load_state_dict(middle_rows(of_images.state_dict()))
    x = double(3, 2, 24)
    assert torch.allclose(of_sequences.scores(x), of_images.scores(x[:, :, None]), rtol=1e-12)


@pytest.mark.parametrize("part", [ClassDescriptor, ClassGenerator])
def test_data_without_classes_are_refused(part: Any) -> None:
    with pytest.raises(ValueError, match=r"it needs data with classes: \[data\] labels = true takes them"):
        part((1, 16, 16), 0)


def test_heads_of_a_class_are_its_own_and_features_are_shared() -> None:
    """Of the classes that nobody asked for, the energy of one class has no gradient."""
    energy = ClassDescriptor((2, 24), 3, **LAYERS)
    energy.given(torch.tensor([1]))(double(4, 2, 24).float()).sum().backward()  # type: ignore[no-untyped-call]
    own = [float(head.weight.grad.abs().sum()) for head in energy.class_heads]  # type: ignore[union-attr, operator]
    assert own[0] == own[2] == 0 < own[1]
    shared = [energy.head.weight, *energy.features.parameters()]
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in shared)
