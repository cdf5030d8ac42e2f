"""A stranger's schedule with an encoder and two energies: its tables, its training, its bits when resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ebmkit.config.keys import keys_of
from ebmkit.registry.discovery import Registry
from tests.conftest import Ebmkit, Install

PLUGIN = """
    import math
    from typing import Annotated

    from torch import nn
    from ebmkit.core import (
        Chain, CooperativeScheduler, Encoder, Energy, Examples, Gaussian, Ge, Gt, LatentGenerator, Proposal,
        Tracker, Update, as_rows, contrastive_divergence, reconstruction_loss,
    )
    from ebmkit.plugin import hookimpl


    class Straight(Encoder):
        '''Two linear maps.

        Args:
            latents: how many.
        '''

        def __init__(self, shape, *, latents: Annotated[int, Ge(1)] = 6):
            super().__init__()
            size = math.prod(shape)
            self.mean, self.log_std = nn.Linear(size, latents), nn.Linear(size, latents)

        def forward(self, x):
            return Gaussian(self.mean(as_rows(x)), self.log_std(as_rows(x)) - 1)


    class Amortised(CooperativeScheduler):
        '''The encoder teaches the generator, a coarse energy and a fine one follow.

        Args:
            chains: samples an iteration.
        '''

        def __init__(
            self,
            energy: Energy,
            generator: LatentGenerator,
            encoder: Encoder,
            coarse: Energy,
            revision: Chain,
            *,
            chains: Annotated[int, Gt(0)] = 4,
        ):
            super().__init__()
            self.energy, self.generator, self.encoder = energy, generator, encoder
            self.coarse, self.revision, self.chains = coarse, revision, chains

        def propose(self, count, *, rng):
            z = self.generator.prior(count, rng=rng)
            return Proposal(self.generator(z), z)

        def updates(self, batch, *, rng):
            law = self.encoder(batch.x)
            made = self.generator(law.sample(rng=rng.fold_in('latents')))
            loss = reconstruction_loss(batch.x, made, noise_std=self.generator.noise_std) + law.kl().mean()
            yield Update('encoder', loss)
            made = self.generator(self.encoder(batch.x).sample(rng=rng.fold_in('latents')).detach())
            loss = reconstruction_loss(batch.x, made, noise_std=self.generator.noise_std)
            yield Update('generator', loss)
            x = self.propose(self.chains, rng=rng.fold_in('start')).x.detach()
            for name in ('coarse', 'energy'):
                energy = self.get_submodule(name)
                x = self.revision(energy, x, rng=rng.fold_in(name)).x
                yield Update(name, contrastive_divergence(energy(batch.x), energy(x)))
            return Examples(observed=batch.x, revised=x)


    class Notes(Tracker):
        '''Writes down what it is told.

        Args:
            fail_at: an iteration at which it raises; 0 for none.
        '''

        def __init__(self, *, fail_at: Annotated[int, Ge(0)] = 0):
            self.fail_at = fail_at

        def start(self, *, name, folder, config, iteration):
            self.file = folder / 'notes.txt'
            self._note(f"start {name} {iteration} {config['encoder']['use']}")

        def metrics(self, iteration, values):
            if iteration == self.fail_at:
                raise ConnectionError('no network')
            self._note(f"metrics {iteration} {'loss_encoder' in values}")

        def images(self, iteration, name, examples):
            self._note(f'images {iteration} {name} {tuple(examples.shape)}')

        def finish(self, status):
            self._note(f'finish {status}')

        def _note(self, line):
            with self.file.open('a') as file:
                file.write(line + chr(10))


    @hookimpl
    def ebmkit_encoders():
        return {"straight": "MODULE:Straight"}

    @hookimpl
    def ebmkit_schedulers():
        return {"amortised": "MODULE:Amortised"}

    @hookimpl
    def ebmkit_trackers():
        return {"notes": "MODULE:Notes"}
"""

NETWORK = 'use = "descriptor"\nchannels = [4, 8]\nkernels = [5, 3]\nstrides = [2, 2]\noutputs = 3\n'
RUN = f"""
[run]
iterations = 4
checkpoint_every = 2
log_every = 2
samples_every = 4
device = "cpu"

[data]
use = "folder"
path = "IMAGES"
size = 16
color = false
batch = 3

[energy]
{NETWORK}

[coarse]
{NETWORK}optimizer = {{ use = "sgd", momentum = 0.5, lr = 1e-4 }}

[generator]
use = "generator"
latents = 6
channels = [8, 4]

[encoder]
use = "straight"
latents = 6
optimizer = {{ use = "adamw", lr = 1e-3, weight_decay = 0.1 }}

[revision]
use = "langevin"
step_size = 0.03
steps = 2

[trackers.mine]
use = "notes"

[schedule]
use = "amortised"
"""

File = Callable[[str], Path]


@pytest.fixture
def file(install: Install, tmp_path: Path, images: Path, request: pytest.FixtureRequest) -> File:
    """Write a run file of the stranger's schedule."""
    module = f"amortised_{abs(hash(request.node.name))}"
    install("amortised-parts", module, PLUGIN.replace("MODULE", module), point="amortised")

    def write(text: str = RUN, name: str = "amortised") -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(text.replace("IMAGES", str(images)))
        return path

    return write


def test_the_encoder_learns_and_a_resumed_run_has_the_same_bits(file: File, ebmkit: Ebmkit) -> None:
    outcome = ebmkit("run", file(RUN))
    assert outcome.code == 0, outcome.err
    runs = Path("runs")
    first, last = (runs / f"amortised/checkpoints/iteration-000000{n}" for n in (2, 4))
    weights = [load_file(each / "encoder.safetensors")["mean.weight"] for each in (first, last)]
    assert not torch.equal(*weights)
    assert any(name.startswith("encoder/") for name in load_file(last / "optimizer.safetensors"))
    file(RUN, "stopped")  # type: ignore[call-arg]
    assert ebmkit("run", "stopped.toml", "--set", "run.iterations=2").code == 0
    assert ebmkit("resume", "stopped", "--set", "run.iterations=4").code == 0
    for whole in last.glob("*.safetensors"):
        one, other = load_file(whole), load_file(runs / "stopped/checkpoints" / last.name / whole.name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one), whole.name
    notes = (runs / "amortised/notes.txt").read_text().splitlines()
    assert notes[0] == "start amortised 0 straight"
    assert {"metrics 2 True", "metrics 4 True", "images 4 revised (4, 1, 16, 16)"} <= set(notes)
    assert notes[-1] == "finish finished"


def test_a_tracker_that_fails_is_left_out_and_changes_no_bit(file: File, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", file(RUN)).code == 0
    outcome = ebmkit(
        "run", "amortised.toml", "--set", "trackers.mine.fail_at=2", "--set", "run.output=runs/failing"
    )
    assert outcome.code == 0, outcome.err
    assert "tracker 'mine': ConnectionError: no network" in outcome.out
    notes = Path("runs/failing/notes.txt").read_text().splitlines()
    assert not any(line.startswith(("metrics 2", "metrics 4", "images")) for line in notes)
    last = "checkpoints/iteration-0000004/energy.safetensors"
    one, other = load_file(Path("runs/amortised") / last), load_file(Path("runs/failing") / last)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("[encoder]", "[encodre]", "did you mean 'encoder'?"),
        ('use = "straight"', 'use = "straigth"', "did you mean 'straight'?"),
        ("momentum = 0.5", "momentun = 0.5", "did you mean 'momentum'?"),
        ("momentum = 0.5", "betas = [0.5, 0.9]", "unknown key 'betas' for optimizer 'sgd'"),
        ("weight_decay = 0.1", "weight_decay = -1", "'weight_decay' must be >= 0"),
        ("[trackers.mine]", "[tracker.mine]", "did you mean 'trackers'?"),
        ('use = "notes"', 'use = "nodes"', "did you mean 'notes'?"),
        (
            "latents = 6\noptimizer",
            "latents = 5\noptimizer",
            "it gives latents of shape (5,), the generator takes (6,)",
        ),
    ],
)
def test_mistakes_are_told_at_their_line(
    file: File, ebmkit: Ebmkit, right: str, wrong: str, said: str
) -> None:
    assert right in RUN
    text = RUN.replace(right, wrong)
    outcome = ebmkit("check", file(text))
    assert outcome.code in (2, 4)
    assert said in outcome.err
    assert "amortised.toml:" in outcome.err


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (
            "return Gaussian(self.mean(as_rows(x)), self.log_std(as_rows(x)) - 1)",
            "return self.mean(as_rows(x))",
            "'straight' (plugin 'amortised' of amortised-parts 1.2) returned a Tensor, not a Gaussian",
        ),
        ("self.log_std(as_rows(x)) - 1)", "self.log_std(as_rows(x))[:1])", "log_std"),
        ("self.log_std(as_rows(x)) - 1)", "self.log_std(as_rows(x)) / 0)", "not finite"),
    ],
)
def test_an_encoder_that_breaks_its_promise_is_named_before_training(
    install: Install, tmp_path: Path, images: Path, ebmkit: Ebmkit, *, right: str, wrong: str, said: str
) -> None:
    module = f"broken_{abs(hash(said))}"
    assert right in PLUGIN
    install(
        "amortised-parts", module, PLUGIN.replace(right, wrong).replace("MODULE", module), point="amortised"
    )
    (tmp_path / "broken.toml").write_text(RUN.replace("IMAGES", str(images)))
    outcome = ebmkit("check", "broken.toml")
    assert outcome.code == 4, outcome.err
    assert said in outcome.err


def test_their_keys_are_completed_and_shown(file: File, ebmkit: Ebmkit) -> None:
    import tomllib

    keys = keys_of(tomllib.loads(file(RUN).read_text()), Registry.discover())
    assert keys["encoder.use"] == "encoder"
    assert keys["coarse.optimizer.use"] == "optimizer"
    assert keys["trackers.mine.use"] == "tracker"
    assert {"encoder.latents", "encoder.optimizer.weight_decay", "trackers.mine.fail_at"} <= keys.keys()
    assert {"coarse.optimizer.momentum"} <= keys.keys()
    assert not {"coarse.optimizer.betas", "trackers.mine.optimizer.lr"} & keys.keys()
    shown = ebmkit("plugins", "show", "amortised").out
    assert "parts: energy, generator, encoder, coarse, revision" in shown
    assert "optimizer" in ebmkit("plugins", "show", "encoder/straight").out
