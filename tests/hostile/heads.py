"""How features become one number for each row, and what is added to it."""

from __future__ import annotations

import math

from tests.hostile.draft import Draft


def plain_head(draft: Draft) -> None:
    """One that closed forms know."""
    dims = tuple(range(1, len(draft.shape) + 1))
    if draft.chance(0.3):
        draft.say(
            draft.draw.choice(
                [
                    f"value = h.sum({dims})",
                    f"value = h.mean({dims})",
                    "value = h.flatten(1).sum(1)",
                    f"value = -h.sum(dim={dims})",
                ]
            )
        )
        return
    if len(draft.shape) > 1:
        draft.say(
            draft.draw.choice(["h = h.flatten(1)", "h = torch.flatten(h, 1)", "h = h.reshape(len(h), -1)"])
        )
    _layer(draft, math.prod(draft.shape))


def head(draft: Draft) -> None:
    """``value`` of h, whatever its shape."""
    draw, size = draft.draw, math.prod(draft.shape)
    dims = tuple(range(1, len(draft.shape) + 1))
    if draft.chance(0.35):
        draft.say(
            draw.choice(
                [
                    f"value = h.sum({dims})",
                    f"value = h.mean({dims})",
                    "value = h.flatten(1).sum(1)",
                    f"value = h.square().sum({dims})",
                    f"value = -h.sum(dim={dims})",
                    "value = h.flatten(1).logsumexp(1)",
                    f"value = torch.sum(h, {dims})",
                    "value = h.reshape(len(h), -1).norm(dim=1)",
                    f"value = h.double().sum({dims}).to(h.dtype)",
                    "value = torch.linalg.vector_norm(h.flatten(1), dim=1) ** 2 / 2",
                    "value = F.softplus(h.flatten(1)).sum(1)",
                    "value = torch.stack([r.sum() for r in h])",
                ]
            )
        )
        return
    if len(draft.shape) > 1:
        flat = [
            "h = h.flatten(1)",
            "h = torch.flatten(h, 1)",
            "h = h.reshape(h.shape[0], -1)",
            "h = h.reshape(len(h), -1)",
            "h = h.view(h.size(0), -1)",
            "h = h.flatten(start_dim=1)",
            f"h = {draft.layer('nn.Flatten()', 'flat')}(h)",
        ]
        draft.say(draw.choice(flat))
    free = [
        _free_energy,
        _layer,
        _layer,
        _layer,
        _vector,
    ]
    draw.choice(free)(draft, size)


def _free_energy(draft: Draft, size: int) -> None:
    hidden = draft.draw.choice([3, 16])
    a, b = draft.tensor((size,), 0.3), draft.tensor((hidden,), 0.3)
    w = draft.tensor((size, hidden), 1 / math.sqrt(size), of_x=True)
    inside = draft.draw.choice([f"h @ {w} + {b}", f"F.linear(h, {w}.T, {b})", f"torch.addmm({b}, h, {w})"])
    plus = draft.draw.choice(
        [
            f"F.softplus({inside}).sum(1)",
            f"F.softplus({inside}, beta=2).sum(-1)",
            f"torch.log1p(({inside}).exp()).sum(1)",
        ]
    )
    draft.say(f"value = -(h @ {a}) - {plus}" if draft.chance(0.7) else f"value = -{plus}")


def _layer(draft: Draft, size: int) -> None:
    name = draft.layer(f"nn.Linear({size}, 1, bias={draft.chance(0.7)})")
    draft.layers.append(name)
    ways = [
        "value = {}(h).squeeze(1)",
        "value = {}(h)[:, 0]",
        "value = {}(h).squeeze(-1)",
        "value = {}(h).view(-1)",
        "value = {}(h).flatten()",
        "value = {}(h).sum(1)",
        "value = -{}(h).squeeze(1)",
        "value = {}(h).mean(1)",
        "value = {}(h).reshape(len(h))",
        "value = {}(h).squeeze()",
    ]
    draft.say(draft.draw.choice(ways).format(name))


def _vector(draft: Draft, size: int) -> None:
    a = draft.tensor((size,), 1 / math.sqrt(size), of_x=True)
    draft.say(
        draft.draw.choice(
            [
                f"value = h @ {a}",
                f"value = torch.mv(h, {a})",
                f"value = (h * {a}).sum(1)",
                f"value = torch.einsum('bi,i->b', h, {a})",
                f"value = h.matmul({a}) + {a}.sum()",
            ]
        )
    )


def tail(draft: Draft, shape: tuple[int, ...]) -> None:
    """A reference, a temperature, a constant: each where chance has it."""
    draw, dims = draft.draw, tuple(range(1, len(shape) + 1))
    if draft.chance(0.75):
        draft.say(
            draw.choice(
                [
                    "value = value * self.beta",
                    "value = self.beta * value",
                    "value = value / self.beta",
                    "value = value * self.gains[0]",
                    "value = value * self.gain",
                    "value = value * GAIN",
                    "value = value * self.settings['scale']",
                    "value = value * self.temperature",
                    "value = torch.mul(value, self.beta)",
                    "value = value.mul_(self.beta)",
                    "value = -value",
                ]
            )
        )
    if draft.chance(0.5) and shape:
        square = draw.choice(
            [
                f"x.square().sum({dims})",
                "(x**2).flatten(1).sum(1)",
                f"x.pow(2).sum({dims})",
                f"(x * x).sum({dims})",
                f"torch.square(x).sum({dims})",
                "x.flatten(1).norm(dim=1).square()",
                "torch.linalg.vecdot(x.flatten(1), x.flatten(1))",
                f"torch.sum(x**2, dim={dims})",
                f"x.double().square().sum({dims}).to(value.dtype)",
            ]
        )
        scale = draw.choice(
            [
                "/ 2",
                "* 0.5",
                "/ (2 * 0.3**2)",
                "* self.beta",
                "* self.shift",
                "/ 2 * GAIN",
                "* (0.5 * self.gains[0])",
                "* 0.0",
                "/ float('inf')",
            ]
        )
        draft.say(
            draw.choice(
                [
                    f"value = value + {square} {scale}",
                    f"value = {square} {scale} - value",
                    f"value += {square} {scale}",
                    f"value = torch.add(value, {square} {scale})",
                ]
            )
        )
    if draft.chance(0.25):
        draft.say(
            draw.choice(
                [
                    "value = value + 3.0",
                    "value = value - self.shift",
                    "value = value + x.flatten(1).mean(1)" if shape else "value = value + x",
                    "value += 1",
                    "value = 2 - value",
                ]
            )
        )
