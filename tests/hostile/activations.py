"""Activations of forward passes."""

from __future__ import annotations

from tests.hostile.draft import Draft

_KINKED = ("relu", "leaky", "hardtanh", "abs", "clamp", "PReLU", "where", "RReLU", "hardswish", "threshold")


ACTIVATIONS = [
    "h = torch.relu(h)",
    "h = F.relu(h)",
    "h = h.relu()",
    "h = F.relu(h, inplace=True)",
    "h.relu_()",
    "torch.relu_(h)",
    "F.relu_(h)",
    "h = F.relu(input=h)",
    "F.relu(h, True)",
    "h = F.leaky_relu(h, 0.2)",
    "h = F.leaky_relu(h, negative_slope=-0.2)",
    "F.leaky_relu_(h, 0.3)",
    "h = F.leaky_relu(h)",
    "h = F.silu(h)",
    "F.silu(h, inplace=True)",
    "h = torch.tanh(h)",
    "h.tanh_()",
    "h = h.tanh()",
    "h = F.softplus(h)",
    "h = F.softplus(h, beta=2)",
    "h = F.softplus(h, 0.5, 1.0)",
    "h = F.gelu(h)",
    "h = F.gelu(h, approximate='tanh')",
    "h = F.elu(h)",
    "F.elu_(h)",
    "h = F.mish(h)",
    "h = torch.sigmoid(h)",
    "h = h.sigmoid()",
    "h.sigmoid_()",
    "h = F.hardtanh(h)",
    "h = h.abs()",
    "h = h.clamp(min=0)",
    "h.clamp_(min=0)",
    "h = torch.sin(h)",
    "h = h.square() / 2",
    "h = torch.where(h > 0, h, 0.1 * h)",
    "h = h * torch.sigmoid(h)",
    "h = F.celu(h, 0.7)",
    "h = F.selu(h)",
    "h = F.logsigmoid(h)",
    "h = torch.logaddexp(h, torch.zeros_like(h))",
    "h = h.exp().log1p()",
    "h = h.sin_()",
    "h = F.threshold(h, 0.1, 0.0)",
]


MODULES = [
    "nn.ReLU()",
    "nn.ReLU(inplace=True)",
    "nn.LeakyReLU(0.2)",
    "nn.LeakyReLU(0.2, inplace=True)",
    "nn.LeakyReLU(-0.1)",
    "nn.LeakyReLU()",
    "nn.SiLU()",
    "nn.SiLU(inplace=True)",
    "nn.Tanh()",
    "nn.Softplus()",
    "nn.Softplus(beta=2)",
    "nn.Softplus(threshold=2)",
    "nn.GELU()",
    "nn.ELU(inplace=True)",
    "nn.Mish()",
    "nn.PReLU()",
    "nn.Sigmoid()",
    "nn.Identity()",
    "nn.Hardswish()",
    "nn.Softsign()",
]


def activation(draft: Draft) -> bool:
    """φ as a statement, or as a module that is used, or whose result is thrown away."""
    if draft.chance(0.5):
        line = draft.draw.choice(ACTIVATIONS)
    else:
        module = draft.draw.choice(MODULES)
        in_place = "inplace" in module and draft.chance(0.5)
        line = f"{'' if in_place else 'h = '}{draft.layer(module, 'act')}(h)"
        draft.kinked |= any(word.lower() in module.lower() for word in _KINKED)
    draft.kinked |= any(word in line for word in _KINKED)
    draft.say(line)
    return True


READ = [
    "h = torch.relu(h)",
    "h = F.relu(h)",
    "h = F.leaky_relu(h, 0.2)",
    "h = F.leaky_relu(h, negative_slope=0.1)",
    "h = F.silu(h)",
    "h = torch.tanh(h)",
    "h = h.tanh()",
    "h = F.softplus(h)",
    "h = h.relu()",
    "h = h.relu_()",
    "h = F.relu(h, inplace=True)",
]
"""Activations that closed forms know."""

READ_MODULES = [
    "nn.ReLU()",
    "nn.ReLU(inplace=True)",
    "nn.LeakyReLU(0.2)",
    "nn.Tanh()",
    "nn.SiLU()",
    "nn.Softplus()",
]


def plain_activation(draft: Draft) -> bool:
    """One that closed forms know."""
    line = draft.draw.choice(READ)
    if draft.chance(0.4):
        line = f"h = {draft.layer(draft.draw.choice(READ_MODULES), 'act')}(h)"
    draft.kinked |= "relu" in line.lower() or "act" in line
    draft.say(line)
    return True
