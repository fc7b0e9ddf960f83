"""A small classifier of Fashion-MNIST: the judge of what a model draws, and its features.

It is trained on the real training images alone. How often it agrees with the class that was
asked for says whether samples show what they should; the 128 numbers before its last layer
are the features in which sets of images are compared.

    python -m engine.evaluation.classifier --out FOLDER/fashion_classifier.safetensors
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import tomli_w
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from engine.errors import BadCheckpoint
from engine.files import write_atomically
from engine.training.diffusion import TrainingStep, step_generator
from engine.training.fashion import CLASSES, load_fashion

__all__ = [
    "FEATURES",
    "Classifier",
    "accuracy",
    "load_classifier",
    "new_classifier",
    "save_classifier",
    "train_classifier",
]

FEATURES = 128
_LEARNING_RATE = 4e-3
_BATCH = 256
_LARGEST_SHIFT = 2  # pixels; the images have as wide a black margin, so nothing is lost


def _convolution(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


class Classifier(nn.Module):
    """Images (B, 1, 32, 32) in [-1, 1] -> logits (B, 10); `features` gives (B, 128).

    Like the networks it judges, it folds the image 2x2 into channels first: that is what
    keeps it under a third of a millisecond an image on one core.
    """

    def __init__(self, classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2),
            _convolution(4, 24),
            _convolution(24, 48),
            nn.MaxPool2d(2),
            _convolution(48, 80),
            _convolution(80, 96),
            nn.MaxPool2d(2),
            _convolution(96, 128),
            _convolution(128, FEATURES),
        )
        self.dropout = nn.Dropout(0.2)
        self.last = nn.Linear(FEATURES, classes)

    def features(self, images: Tensor) -> Tensor:
        found: Tensor = self.body(images).mean(dim=(2, 3))
        return found

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.dropout(self.features(images)))
        return logits


def new_classifier(seed: int = 0) -> Classifier:
    """A classifier that has learnt nothing; its first weights depend on `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Classifier()


def _shifted(images: Tensor, shifts: Tensor) -> Tensor:
    """Images (B, C, H, W) moved by shifts (B, 2) pixels, wrapped round at the edges."""
    b, _, height, width = images.shape
    rows = (torch.arange(height)[None, :] - shifts[:, :1]) % height
    columns = (torch.arange(width)[None, :] - shifts[:, 1:]) % width
    return images[torch.arange(b)[:, None, None], :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def train_classifier(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    *,
    seed: int = 0,
    epochs: int = 14,
    batch: int = _BATCH,
    report_every: int = 25,
) -> Iterator[TrainingStep]:
    """Train in place on images uint8 (N, C, H, W) with labels (N,); yields now and then.

    The same seed gives the same classifier on the same machine with one thread.
    """
    steps_an_epoch = len(images) // batch
    steps = epochs * steps_an_epoch
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=_LEARNING_RATE, weight_decay=0.02, fused=True)
    begun = time.monotonic()
    losses: list[float] = []
    order = torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        random = step_generator(seed, step)
        place = step % steps_an_epoch
        if place == 0:
            order = torch.randperm(len(images), generator=random)
        rows = order[place * batch : (place + 1) * batch]
        shifts = torch.randint(-_LARGEST_SHIFT, _LARGEST_SHIFT + 1, (batch, 2), generator=random)
        x = _shifted(images[rows], shifts).float() / 127.5 - 1.0
        for group in optimiser.param_groups:
            rise = min(1.0, (step + 1) / (0.15 * steps))
            group["lr"] = _LEARNING_RATE * rise * 0.5 * (1 + math.cos(math.pi * step / steps))
        classifier.train()
        # Dropout draws from the global generator: seed it, and leave it as it was.
        with torch.random.fork_rng(devices=[]), torch.autocast("cpu", torch.bfloat16):
            torch.manual_seed(seed * 1_000_003 + step)
            logits = classifier(x)
        loss = F.cross_entropy(logits.float(), labels[rows], label_smoothing=0.02)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
        if (step + 1) % report_every == 0 or step + 1 == steps:
            seconds = time.monotonic() - begun
            mean = math.fsum(losses) / len(losses)
            losses.clear()
            yield TrainingStep(step + 1, steps, mean, seconds, seconds / (step + 1) * (steps - step - 1))
    classifier.eval()


@torch.no_grad()
def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """The share of images uint8 (N, C, H, W) for which the classifier says their label."""
    classifier.eval()
    right = 0
    for start in range(0, len(images), 500):
        seen = classifier(images[start : start + 500].float() / 127.5 - 1.0).argmax(dim=1)
        right += int((seen == labels[start : start + 500]).sum())
    return right / len(images)


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Write the weights in half precision; counters of the normalisation are left out."""
    kept = {
        name: value.half().contiguous()
        for name, value in classifier.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    write_atomically(path, lambda file: file.write_bytes(save(kept)))


def load_classifier(path: Path) -> Classifier:
    """The classifier saved at `path`, in float32; a `BadCheckpoint` if there is none."""
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadCheckpoint(f"Couldn't read the classifier {path}: {error}.") from error
    classifier = Classifier()
    counters = {n: v for n, v in classifier.state_dict().items() if n.endswith("num_batches_tracked")}
    try:
        classifier.load_state_dict({name: value.float() for name, value in stored.items()} | counters)
    except RuntimeError as error:
        raise BadCheckpoint(
            f"{path} holds another network than the classifier. Train one with "
            "`python -m engine.evaluation.classifier`.",
            details=str(error),
        ) from error
    return classifier.eval().requires_grad_(False)


def main(arguments: list[str] | None = None) -> int:
    """Train, save and write the card beside the weights."""
    parser = argparse.ArgumentParser(prog="python -m engine.evaluation.classifier", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="where the weights go (.safetensors)")
    parser.add_argument("--data", type=Path, default=None, help="folder of the four idx files")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--epochs", type=int, default=14, help="default: 14")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)
    classifier = new_classifier(options.seed)
    images, labels = load_fashion("train", options.data)
    begun = time.process_time()
    for report in train_classifier(classifier, images, labels, seed=options.seed, epochs=options.epochs):
        done = f"step {report.step}/{report.steps}  loss {report.loss:.4f}"
        sys.stderr.write(f"{done}  {report.seconds_left:.0f} s left\n")
    seconds = time.process_time() - begun
    save_classifier(classifier, options.out)
    score = accuracy(load_classifier(options.out), *load_fashion("test", options.data))
    card = {
        "name": options.out.stem,
        "summary": "Judges samples of Fashion-MNIST models; its features compare sets of images.",
        "data": "Fashion-MNIST, training images only (MIT, Zalando SE)",
        "licence": "MIT",
        "classes": list(CLASSES),
        "features": FEATURES,
        "parameters": sum(p.numel() for p in classifier.parameters()),
        "command": f"python -m engine.evaluation.classifier --seed {options.seed} --epochs {options.epochs}",
        "seed": options.seed,
        "cpu_seconds": round(seconds),
        "test_accuracy": score,
    }
    write_atomically(options.out.with_suffix(".toml"), lambda file: file.write_text(tomli_w.dumps(card)))
    sys.stderr.write(f"{options.out}: {score:.4f} of the test images right, {seconds:.0f} s\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
