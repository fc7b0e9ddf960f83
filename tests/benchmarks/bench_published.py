"""Speed, memory and precision of the published networks: `python -m tests.benchmarks.bench_published`.

Prints a table and writes build/bench/published.json. Each full-size architecture, with random
weights, makes one 10-step GENIE image in fp32 and in the precision "auto" picks, each in a
process of its own. Of the ten evaluations:

- seconds: the fastest one, an image, head not included; median_seconds is what the name says
- cpu_seconds: the same in seconds of processor time, which other programs disturb less
- gflops: of the network alone, two for each product with a sum, a second
- head_share: processor time in the head over that in the network, of the fastest of each
- peak_gb: the most memory the process ever held, torch, loading and the solver included
- psnr: of the final image in automatic precision against that in fp32, for a range of four of
  its standard deviations, as pictures from -1 to 1 have it; relative_error is the error itself,
  root mean square, over that deviation

Random weights alone would make no image: a network that predicts eps from noise never comes to
rest. Outputs are scaled to a standard deviation near one and taken for v, which a random network
may well predict. Where the published model predicts eps, it is made of that v and of x_t as the
network saw it, eps = alpha v + sigma x_t, and rounded to the network's precision: what is lost
by putting out eps in low precision is lost here too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from engine.checkpoints.recognise import PUBLISHED, PublishedModel, build
from engine.denoiser import NetworkDenoiser
from engine.devices import choose_placement, cpu_cores, keep_freed_memory
from engine.flow import ProbabilityFlow
from engine.networks.adm import ADMUpsampler, ADMUpsamplerConfig
from engine.networks.blocks import UNet
from engine.networks.published_head import PublishedHead
from engine.networks.upsampler import ConditionedHead, ConditionedNetwork, enlarge
from engine.sampling import sample
from engine.schedule import VPSchedule, step_grid
from engine.solvers import solver

VP = VPSchedule()
STEPS = 10
# What the published code reached in fp32 on two cores with AVX-512: GFLOP/s, and the head's share.
PUBLISHED_CODE = {
    "cifar10": (163.0, 0.023),
    "imagenet64": (190.0, 0.046),
    "church128": (162.0, 0.107),
    "cats128": (187.0, 0.066),
    "cats-upsampler": (103.0, 0.124),
}
IMAGES = {"cifar10": 4, "imagenet64": 2, "imagenet64-cond": 2}  # at once; one of the larger ones


# --- one network ------------------------------------------------------------------------------


def random_weights(model: PublishedModel) -> tuple[nn.Module, nn.Module]:
    """Network and head, the same for each precision."""
    torch.manual_seed(0)
    network, head = build(model.network), build(model.head)
    for module in (network, head):
        module.eval().requires_grad_(False)
    unet = network.unet
    assert isinstance(unet, UNet)
    # Layers as torch begins them leave a third of the standard deviation.
    unet.conv_out.weight.mul_(3.0)
    return network, head


class PredictsEps:
    """A network whose output is taken for v, as one that predicts eps in the same precision."""

    def __init__(self, network: Any) -> None:
        self._network = network

    def __call__(self, x_t: Tensor, log_gamma: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        v, features, embedding = self._network(x_t, log_gamma, label)
        gamma = log_gamma.exp()[:, None, None, None]
        eps = (v + gamma * x_t) / (1.0 + gamma * gamma).sqrt()
        return eps.to(v.dtype), features, embedding


class Clock:
    """A network or head that keeps the seconds of each call, on the clock and of the processor."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.calls: list[tuple[float, float]] = []

    def __call__(self, *arguments: Tensor) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        out = self._inner(*arguments)
        self.calls.append((time.perf_counter() - wall, time.process_time() - cpu))
        return out


def floating_point_operations(model: PublishedModel) -> int:
    """Of one evaluation of the network for one image, counted on the meta device."""
    size = model.network.image_size
    with torch.device("meta"), torch.inference_mode(False), torch.no_grad():
        network = build(model.network)
        image, one = torch.empty(1, 3, size, size), torch.empty(1)
        with FlopCounterMode(display=False) as counter:
            if isinstance(network, ADMUpsampler):
                network(image, one, image, one)
            else:
                network(image, one, torch.empty(1, dtype=torch.int64))
    return int(counter.get_total_flops())


def measure(name: str, precision: str, images: int, threads: int, out: Path) -> dict[str, Any]:
    """The figures of one network in one precision; the final images go into the file `out`."""
    model = next(model for model in PUBLISHED if model.name == name)
    placement = choose_placement("cpu", precision)
    torch.set_num_threads(threads)
    keep_freed_memory()
    network, head = (placement.place(module) for module in random_weights(model))
    size = model.network.image_size
    random = torch.Generator().manual_seed(1)
    seen: Any = network
    bent: Any = head
    if isinstance(network, ADMUpsampler):
        assert isinstance(head, PublishedHead)
        assert isinstance(model.network, ADMUpsamplerConfig)
        low = model.network.low_resolution
        condition = enlarge(torch.randn(images, 3, low, low, generator=random), size)
        condition = condition.to(placement.dtype, memory_format=placement.memory_format)
        seen = ConditionedNetwork(network, condition, torch.full((images,), 0.1, dtype=torch.float64))
        bent = ConditionedHead(head, condition)
    clocks = Clock(seen), Clock(bent)
    timed: Any = clocks[0]
    denoiser = NetworkDenoiser(
        PredictsEps(timed) if model.prediction == "eps" else timed,
        model.prediction,
        torch.zeros(images, dtype=torch.int64),
        dtype=placement.dtype,
        head=clocks[1],  # type: ignore[arg-type]
        memory_format=placement.memory_format,
    )
    noise = torch.randn(images, 3, size, size, generator=random).double()
    gammas = step_grid(VP, STEPS, "quadratic", 1e-3).tolist()
    *_, last = sample(solver("genie"), ProbabilityFlow(denoiser), noise, gammas, schedule=VP)
    save_file({"x": last.x.clone()}, out)
    # The first evaluation also sets up oneDNN's kernels.
    (walls, cpus), (_, head_cpus) = (zip(*clock.calls[1:], strict=True) for clock in clocks)
    operations = floating_point_operations(model)
    return {
        "precision": placement.precision,
        "images": images,
        "seconds": min(walls) / images,
        "median_seconds": statistics.median(walls) / images,
        "cpu_seconds": min(cpus) / images,
        "gflop": operations / 1e9,
        "gflops": operations / 1e9 * images / min(walls),
        "gflops_per_cpu_second": operations / 1e9 * images / min(cpus),
        "head_share": min(head_cpus) / min(cpus),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "image_std": float(last.x.std()),
    }


# --- all of them ------------------------------------------------------------------------------


def measured(name: str, precision: str, images: int, threads: int, out: Path) -> dict[str, Any]:
    """`measure` in a process of its own, so that its peak of memory is its own."""
    command = [sys.executable, "-m", __spec__.name, "--one", name, "--precision", precision]
    command += ["--images", str(images), "--threads", str(threads), "--out", str(out)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def compare(name: str, images: int, threads: int) -> dict[str, Any]:
    """Both precisions of one network, and how far they are apart."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "fp32.safetensors", Path(folder) / "auto.safetensors"
        fp32 = measured(name, "fp32", images, threads, files[0])
        auto = measured(name, "auto", images, threads, files[1])
        found, expected = (load_file(file)["x"] for file in files[::-1])
    error = float((found - expected).square().mean().sqrt() / expected.std())
    # Where "auto" is fp32, there is none.
    psnr = 20.0 * math.log10(4.0 / error) if error else None
    return {"fp32": fp32, "auto": auto, "psnr": psnr, "relative_error": error}


def row(name: str, figures: dict[str, Any]) -> str:
    text = f"{name:<16}"
    for precision in ("fp32", "auto"):
        f = figures[precision]
        text += (
            f" | {f['precision']:>4} {f['seconds']:7.3f} s {f['gflops']:5.0f} GFLOP/s"
            f" ({f['gflops_per_cpu_second']:.0f} a core)"
            f" head {100 * f['head_share']:4.1f}% {f['peak_gb']:4.1f} GB"
        )
    text += "" if figures["psnr"] is None else f" | {figures['psnr']:.1f} dB"
    if name in PUBLISHED_CODE:
        speed, share = PUBLISHED_CODE[name]
        text += f" | published code: {speed:.0f} GFLOP/s, head {100 * share:.1f}%"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", help="names of the published models; all of them by default")
    parser.add_argument("--threads", type=int, default=cpu_cores())
    parser.add_argument("--images", type=int, help="at once; by default as many as suit the network")
    parser.add_argument("--out", type=Path, default=Path("build/bench/published.json"))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--precision", default="auto", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one = measure(arguments.one, arguments.precision, arguments.images, arguments.threads, arguments.out)
        print(json.dumps(one))
        return
    known = [model.name for model in PUBLISHED]
    unknown = [name for name in arguments.models if name not in known]
    if unknown:
        parser.error(f"{', '.join(unknown)} was never published; there is: {', '.join(known)}")
    results: dict[str, Any] = {}
    for name in arguments.models or known:
        figures = compare(name, arguments.images or IMAGES.get(name, 1), arguments.threads)
        figures["load"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        results[name] = figures
        print(row(name, figures), flush=True)
    document = {
        "threads": arguments.threads,
        "steps": STEPS,
        "published_code": PUBLISHED_CODE,
        "models": results,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
