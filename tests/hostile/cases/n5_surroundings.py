"""N5: chains and trainings inside blocks that change how torch works."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional


class Image(nn.Module):
    """A wide stack."""

    def __init__(self, kit: Any, *, read: bool) -> None:
        super().__init__()
        self.first = kit.layer(nn.Conv2d(3, 64, 3, padding=1))
        self.wide = kit.layer(nn.Conv2d(64, 64, 3, padding=1))
        self.up = kit.layer(nn.ConvTranspose2d(64, 64, 4, 2, 1))
        self.top = kit.layer(nn.Linear(64, 1))
        self.read = read

    def forward(self, x: Tensor) -> Tensor:
        h = functional.relu(self.wide(functional.relu(self.first(x))))
        if self.read:
            return h.mean((1, 2, 3))
        return self.top(self.up(h).square().mean((2, 3))).squeeze(1)


class Rows(nn.Module):
    """A perceptron."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.net = nn.Sequential(kit.layer(nn.Linear(6, 32)), nn.Tanh(), kit.layer(nn.Linear(32, 1)))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(1) + x.square().sum(1) / 2


def deterministic() -> Any:
    class Block:
        def __enter__(self) -> None:
            torch.use_deterministic_algorithms(True)

        def __exit__(self, *error: object) -> None:
            torch.use_deterministic_algorithms(False)

    return Block()


def float64() -> Any:
    class Block:
        def __enter__(self) -> None:
            torch.set_default_dtype(torch.float64)

        def __exit__(self, *error: object) -> None:
            torch.set_default_dtype(torch.float32)

    return Block()


BLOCKS = {
    "no grad": torch.no_grad,
    "inference": torch.inference_mode,
    "anomalies": lambda: torch.autograd.set_detect_anomaly(True),
    "deterministic": deterministic,
    "default float64": float64,
    "default device meta": lambda: torch.device("meta"),
    "halved on the way back": lambda: saved_tensors_hooks(lambda h: h, lambda h: h * 0.5),
    "warnings": warnings.catch_warnings,
    "one thread": lambda: torch.autograd.set_multithreading_enabled(False),
    "no oneDNN": lambda: torch.backends.mkldnn.flags(enabled=False),
}


def run(kit: Any) -> None:
    for name, block in BLOCKS.items():
        images, more, rows = kit.numbers(16, 3, 16, 16), kit.numbers(4, 3, 16, 16), kit.numbers(4, 6)
        many = images if name in ("deterministic", "default device meta") else more
        for read in (True, False) if many is images else (False,):
            net, other = Image(kit, read=read), Rows(kit)
            with block():
                kit.chain(f"{name}, {read}", net, images, steps=1)
                kit.chain(f"{name}, {read}, few", net, more, steps=1)
                kit.chain(f"{name}, {read}, rows", other, rows)
                if name not in ("no grad", "inference"):
                    kit.learn(
                        f"{name}, {read}, learning",
                        net,
                        lambda net=net, many=many: net(many).sum(),
                        net.parameters(),
                    )
