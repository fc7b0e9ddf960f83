"""Makes the pictures of the first-minute gallery, into samples/ of a bundled model's folder.

    python -m scripts.gallery [MODEL...]

Each carries its request, which "make more like this" runs. After training a model anew, run it
again: the classes and seeds below are looked at and chosen by eye.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from engine.cli import main as genie

CHOSEN: dict[str, tuple[tuple[str, int], ...]] = {
    "fashion32": (
        ("Ankle boot", 26), ("Sneaker", 18), ("Dress", 16), ("Bag", 4), ("Shirt", 1), ("Pullover", 1),
    ),
    "emoji64": (
        ("Face", 4), ("Heart", 10), ("Plant", 2), ("Vehicle", 2), ("Place", 1), ("Person", 12),
    ),
}  # fmt: skip
GUIDANCE = {"fashion32": "1", "emoji64": "3"}
MODELS = Path(__file__).resolve().parents[1] / "resources" / "models"


def main(names: list[str]) -> int:
    for name in names or CHOSEN:
        folder = MODELS / name / "samples"
        shutil.rmtree(folder, ignore_errors=True)
        for label, seed in CHOSEN[name]:
            # In fp32 on the CPU, so that anybody's machine makes the same.
            code = genie([
                "generate", "--model", name, "--classes", label, "--seed", str(seed),
                "--guidance", GUIDANCE[name], "--steps", "10", "--device", "cpu", "--precision", "fp32", "--out", str(folder),
            ])  # fmt: skip
            if code:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
