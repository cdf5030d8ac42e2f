"""How the weights of the networks start."""

from __future__ import annotations

from torch import nn

__all__ = ["initialise_weights"]


def initialise_weights(network: nn.Module, std: float) -> None:
    """Weights from N(0, ``std``²), biases 0, for every (transposed) convolution and linear layer.

    0 leaves torch's own initialisation. The authors' code uses 0.01 for descriptors and 0.005
    for generators.
    """
    if std == 0:
        return
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
