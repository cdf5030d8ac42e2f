"""Reading an energy: by one true evaluation, which changes nothing and is understood or left alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional
from torch.utils._python_dispatch import is_in_torch_dispatch_mode
from torch.utils.checkpoint import checkpoint

from ebmkit.core import Rng, run_chain, value_and_gradient, walk
from ebmkit_fastconv.chains.closed_form import closed_form
from ebmkit_fastconv.reading.reader import read
from ebmkit_langevin.langevin import Langevin

Forward = Callable[["Net", Tensor], Tensor]


class Straight(torch.autograd.Function):
    """The identity with a gradient of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return 3 * gradients[0]


class Net(nn.Module):
    def __init__(self, forward: Forward) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.written, self.seen, self.calls = forward, [], 0
        self.first, self.second, self.head = nn.Linear(6, 16), nn.Linear(16, 16), nn.Linear(16, 1)
        self.table = nn.Parameter(torch.randn(16, 3))
        self.a = nn.Parameter(torch.randn(6))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.written(self, x)


def _statement(net: Net, x: Tensor) -> Tensor:
    h = net.first(x)
    h.relu_()
    return net.head(h)[:, 0]


def _of_a_view(net: Net, x: Tensor) -> Tensor:
    h = net.first(x)
    h.view(-1).tanh_()
    return net.head(h)[:, 0]


def _twice(h: Tensor, net: Net) -> Tensor:
    h.view(-1, 16).tanh_()
    return net.head(h)[:, 0]


def _remembering(net: Net, x: Tensor) -> Tensor:
    net.seen.append(x)
    net.calls += 1
    return net.head(torch.tanh(net.first(x))).view(-1)


def _hooked(net: Net, x: Tensor, hook: Callable[[Tensor], object]) -> Tensor:
    """A net whose features get a hook once they were used."""
    h = net.first(x)
    energy = net.head(h.tanh())[:, 0]
    if h.requires_grad and x.requires_grad:
        hook(h)
    return energy


def _packed(net: Net, x: Tensor) -> Tensor:
    """What is kept for the way back is another there: no operation of the way forth shows it."""
    with saved_tensors_hooks(lambda h: h, lambda h: h.clamp(-0.1, 0.1)):
        return net.head(torch.tanh(net.first(x)))[:, 0]


READ: dict[str, Forward] = {
    "an activation computed again": lambda net, x: net.head(
        checkpoint(torch.tanh, net.first(x), use_reentrant=False)
    )[:, 0],
    "an activation as a statement": _statement,
    "an activation through a view of the same shape": lambda net, x: _twice(net.first(x), net),
    "a side effect": _remembering,
    "a bias that is a column": lambda net, x: net.head(
        functional.linear(x, net.first.weight, net.table[:, 1]).tanh()
    )[:, 0],
    "a weight made on the way": lambda net, x: net.head(
        functional.linear(x, functional.normalize(net.first.weight, dim=1)).relu()
    ).squeeze(1),
    "an energy changed in place": lambda net, x: (
        net.head(torch.relu(net.first(x)))[:, 0].clone().mul_(2).add_(1)
    ),
    "a part of a stack": lambda net, x: nn.Sequential(net.first, nn.SiLU(), net.second, nn.Softplus())(x).sum(
        1
    ),
}

LEFT: dict[str, Forward] = {
    "an activation through a view": _of_a_view,
    "detached": lambda net, x: (
        net.head(net.first(x).detach().tanh())[:, 0] + net.head(net.first(x).tanh())[:, 0]
    ),
    "without a graph": lambda net, x: net.head(net.first(x.data).tanh())[:, 0] + 0 * x.sum(1),
    "a gradient by hand": lambda net, x: net.head(Straight.apply(net.first(x)).tanh())[:, 0],
    "another softplus": lambda net, x: functional.softplus(net.first(x), 2.0).sum(1),
    "squares and one linear layer": lambda net, x: (
        x.square().sum(1) / 2 + functional.linear(x, net.a[None], net.table[0, :1])[:, 0]
    ),
    "linear layers alone": lambda net, x: net.head(net.first(x))[:, 0],
    "a leaky ReLU that folds": lambda net, x: functional.leaky_relu(net.first(x), -0.1).sum(1),
    "a free energy": lambda net, x: -(x @ net.a) - functional.softplus(net.first(x)).sum(1),
    "a linear energy": lambda net, x: x @ net.a,
    "the first coordinate": lambda net, x: x[:, 0],
    "a weight that depends on x": lambda net, x: (
        functional.linear(x, net.first.weight * x.mean()).tanh().sum(1)
    ),
    "a bias that depends on x": lambda net, x: (
        functional.linear(x, net.first.weight, net.table[:, 0] * x[0, 0]).tanh().sum(1)
    ),
    "the number of rows": lambda net, x: net.head(net.first(x).tanh())[:, 0] * (1 if len(x) == 2 else 3),
    "a counter": lambda net, x: net.head(net.first(x).tanh())[:, 0] * float(net.count.add_(1)),
    "a value looked at": lambda net, x: net.head(net.first(x).tanh())[:, 0] * float(x.detach()[0, 0] > 0),
    "a list of values": lambda net, x: (
        net.head(net.first(x).tanh())[:, 0] * (1 if x.detach().tolist()[0][0] > 0 else 2)
    ),
    "an array of values": lambda net, x: (
        net.head(net.first(x).tanh())[:, 0] * float(x.data.numpy()[0, 0] > 0)
    ),
    "a hook on features": lambda net, x: _hooked(net, x, lambda h: h.register_hook(lambda g: g.clamp(-1, 1))),
    "a hook on a node": lambda net, x: _hooked(
        net, x, lambda h: h.grad_fn.register_hook(lambda gi, go: None)
    ),
    "a hook on x": lambda net, x: _hooked(
        net, x, lambda _: x.requires_grad and x.register_hook(lambda g: 2 * g)
    ),
    "kept by hand for the way back": _packed,
    "another library's tensor of the same memory": lambda net, x: (
        net.head(net.first(x).tanh())[:, 0]
        * torch.from_dlpack(torch.utils.dlpack.to_dlpack(x.detach())).clamp(5).mean()
    ),
    "float64 inside": lambda net, x: functional.linear(
        net.first(x).tanh().double(), net.second.weight.double()
    ).sum(1),
    "bfloat16 inside": lambda net, x: net.head(net.first(x).tanh().bfloat16().float())[:, 0],
}


def _x(rows: int = 5) -> Tensor:
    return torch.randn(rows, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", READ)
def test_what_is_read_has_the_gradient_of_autograd(name: str) -> None:
    net, x = Net(READ[name]).eval(), _x()
    reading = read(net, x[:2])
    assert reading is not None
    found, exact = closed_form(reading.stack, x, "fp32")(x), value_and_gradient(net, x)
    assert torch.allclose(found.value, exact.value, rtol=1e-5, atol=1e-6)
    assert torch.allclose(found.gradient, exact.gradient, rtol=1e-5, atol=1e-6)
    assert torch.equal(reading.energies, exact.value[:2]) or torch.allclose(reading.energies, exact.value[:2])


@pytest.mark.parametrize("name", [name for name in LEFT if name != "the number of rows"])
def test_what_cannot_be_read_is_not(name: str) -> None:
    if name == "kept by hand for the way back" and not hasattr(
        torch._C._autograd, "_top_saved_tensors_default_hooks"
    ):
        pytest.skip("torch before 2.8 does not say who packs what autograd keeps")
    assert read(Net(LEFT[name]).eval(), _x(2)) is None


@pytest.mark.parametrize("name", LEFT)
@pytest.mark.filterwarnings("ignore:the gradient that backend:RuntimeWarning")
def test_what_cannot_be_read_is_autograds_to_the_bit(name: str) -> None:
    net, x = Net(LEFT[name]).eval(), _x()
    ends = run_chain(Langevin(step_size=0.1, noise=False), net, x, steps=2, rng=Rng(0)).x
    net = Net(LEFT[name]).eval()
    net.count.fill_(_evaluations_before_the_chain(name))
    for _ in range(2):
        x = x - 0.1**2 / 2 * value_and_gradient(net, x).gradient
    assert torch.allclose(ends, x, rtol=1e-6, atol=1e-7)


def _evaluations_before_the_chain(name: str) -> int:
    return 1 if name == "a counter" else 0


def test_the_energys_own_code_sees_true_tensors_alone() -> None:
    net = Net(READ["a side effect"]).eval()
    run_chain(Langevin(step_size=0.1), net, _x(), steps=3, rng=Rng(0))
    assert {type(each) for each in net.seen} == {Tensor}
    assert all(torch.isfinite(each).all() for each in net.seen)
    assert net.calls == len(net.seen)


def test_reading_touches_neither_process_nor_module_nor_state() -> None:
    net, x = Net(READ["an activation as a statement"]).train(), _x(2)
    weights = {name: each.clone() for name, each in net.state_dict().items()}
    before = (
        nn.Module.__call__,
        nn.Module.__getattr__,
        torch.get_rng_state().sum(),
        sorted(vars(net)),
        x.clone(),
    )
    assert read(net, x) is not None
    after = (nn.Module.__call__, nn.Module.__getattr__, torch.get_rng_state().sum(), sorted(vars(net)), x)
    assert before[:4] == after[:4]
    assert torch.equal(before[4], after[4])
    assert all(torch.equal(each, weights[name]) for name, each in net.state_dict().items())
    assert all(each.grad is None and each.requires_grad for each in net.parameters())
    assert not is_in_torch_dispatch_mode()
    assert net.training


def test_reading_does_not_load_the_compiler() -> None:
    code = (
        "import sys, torch; from torch import nn\n"
        "from ebmkit_fastconv.reading.reader import read\n"
        "net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1), nn.Flatten(0))\n"
        "assert read(net, torch.ones(2, 2)) is not None\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_threads_read_sample_and_call_nets_beside_each_other() -> None:
    errors: list[BaseException] = []

    def sampling(seed: int) -> None:
        try:
            for _ in range(5):
                net, x = Net(READ["an activation as a statement"]).eval(), _x()
                found = run_chain(Langevin(step_size=0.1, noise=False), net, x, steps=2, rng=Rng(seed)).x
                for _ in range(2):
                    x = x - 0.1**2 / 2 * value_and_gradient(net, x).gradient
                assert torch.allclose(found, x, atol=1e-6)
                assert type(nn.Linear(2, 2)(torch.ones(1, 2))) is Tensor
        except BaseException as error:  # noqa: BLE001 - told by the thread that started this one
            errors.append(error)

    threads = [Thread(target=sampling, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_what_forward_reads_may_change_between_the_steps_of_a_walk() -> None:
    net = Net(lambda net, x: net.beta * net.head(net.first(x).tanh())[:, 0]).eval()
    net.beta = 1.0
    x = _x()
    moves = walk(Langevin(step_size=1.0, noise=False), net, x, rng=Rng(0))
    changes: list[Callable[[], object]] = [
        lambda: setattr(net, "beta", 0.5),
        lambda: net.head.weight.data.mul_(3),
        lambda: setattr(net, "head", nn.Linear(16, 1)),
        lambda: net.first.register_forward_pre_hook(lambda module, inputs: (2 * inputs[0],)),
        lambda: None,
    ]
    for change in changes:
        before, x = x, next(moves)[0].x
        assert torch.allclose(x, before - 0.5 * value_and_gradient(net, before).gradient, atol=1e-5)
        change()
