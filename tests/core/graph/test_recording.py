"""What is written down of a function: all of it, on true numbers, and nothing that cannot be repeated."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core.graph.recording import UnrecordableError, recorded
from tests.models import double

CONSTANT = double(4, seed=5)


def _in_place(x: Tensor) -> Tensor:
    h = x * 2
    h.relu_()
    view = h[:, 1:]
    view.add_(1)
    return h * x


def _twice_with_a_change_between(x: Tensor) -> Tensor:
    before = x * 3
    kept = before.exp()
    before.mul_(2)
    return kept + before.exp()


def _gradient(x: Tensor) -> Tensor:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(x.tanh().pow(3).sum(), x)
    return slope


REPEATABLE: dict[str, Callable[[Tensor], Tensor]] = {
    "in place, in a view": _in_place,
    "in place between two readings": _twice_with_a_change_between,
    "a gradient": _gradient,
    "several results": lambda x: torch.cat(x.sort(dim=1)),
    "a constant": lambda x: x * CONSTANT + torch.tensor(2.0),
    "a number out of a constant": lambda x: x * CONSTANT[0].item() + float(CONSTANT.numpy().max()),
    "its input": lambda x: x,
}


@pytest.mark.parametrize("name", REPEATABLE)
def test_what_was_recorded_does_the_same_to_other_numbers(name: str) -> None:
    function = REPEATABLE[name]
    graph = recorded(lambda x: (function(x),), [double(3, 4)])
    for seed in (1, 2):
        x = double(3, 4, seed=seed)
        (found,) = graph(x.clone())
        assert torch.equal(found, function(x))


UNREPEATABLE: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "a branch": (lambda x: x if x.sum() > 0 else -x, "_local_scalar_dense.default reads numbers out"),
    "item": (lambda x: x * x[0, 0].item(), "_local_scalar_dense.default reads numbers out"),
    "numpy": (lambda x: x * float(x.numpy().max()), "Tensor.numpy reads numbers out"),
    "numpy of something derived": (lambda x: x * float(x.exp().detach().numpy().max()), "Tensor.numpy reads"),
    "a list": (lambda x: x * max(x[0].tolist()), "Tensor.tolist reads numbers out"),
    "an address": (lambda x: x * (x.data_ptr() % 2), "Tensor.data_ptr reads numbers out"),
    "a comparison": (lambda x: x if torch.equal(x, x * 2) else -x, "aten.equal.default reads numbers out"),
    "noise": (lambda x: x + torch.randn_like(x), "randn_like.default draws from torch's own random numbers"),
    "a constant that is written to": (
        lambda x: CONSTANT.add_(x[0]),
        "add_.Tensor writes into a tensor that was",
    ),
    "what is made of one": (lambda x: (CONSTANT * 2).add_(x[0]), "add_.Tensor writes into a tensor"),
    "dropout": (nn.functional.dropout, "bernoulli_.float draws from torch's own random numbers"),
}


@pytest.mark.parametrize("name", UNREPEATABLE)
def test_what_depends_on_the_numbers_or_on_chance_is_refused(name: str) -> None:
    function, message = UNREPEATABLE[name]
    before = torch.random.get_rng_state()
    with pytest.raises(UnrecordableError, match=message):
        recorded(lambda x: (function(x),), [double(3, 4)])  # type: ignore[arg-type]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_nobody_sees_a_stand_in_and_nothing_is_exchanged_in_torch() -> None:
    seen: list[Tensor] = []
    call, getattribute = nn.Module.__call__, nn.Module.__getattr__

    class Curious(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            assert nn.Module.__call__ is call
            assert nn.Module.__getattr__ is getattribute
            seen.append(x.exp())
            return seen[-1]

    x = double(3, 4)
    recorded(lambda x: (Curious()(x),), [x])
    assert [type(each) for each in seen] == [torch.Tensor]
    assert torch.equal(seen[0], x.exp())


def test_what_other_threads_compute_meanwhile_is_not_written_down() -> None:
    started, done = threading.Event(), threading.Event()

    def elsewhere() -> None:
        started.wait()
        torch.ones(3).erfinv()
        done.set()

    def function(x: Tensor) -> tuple[Tensor]:
        started.set()
        done.wait()
        return (x * 2,)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    graph = recorded(function, [double(3)])
    thread.join()
    calls = [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]
    assert calls == ["aten.mul.Tensor"]
