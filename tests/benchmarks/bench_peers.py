"""Our solvers beside diffusers' on the same network, noise and noise levels.

    python -m tests.benchmarks.bench_peers        writes build/bench/peers.json

For each pair: how far the final images are apart (root mean square; images are in [-1, 1]),
and our wall time divided by theirs, measured in turns. Both sides run one and the same network
in the same precision, first fp32, then the precision the engine picks for this machine: we as the
engine does, with weights packed once (`engine.networks.onednn`), they as diffusers' pipelines do,
as torch runs it without gradients. `time_ratio_same_evaluations` gives them the engine's
evaluations as well, and leaves the difference of the samplers alone.
Agreement is to be read in fp32 and against `rmse_of_rounding`: diffusers integrates in float32
and we in float64, and that is how far our own images move when we, too, use float32. Time is
to be read against `least_possible_ratio`, the network's share of their time: a sampler that
cost nothing at all would reach it.

Diffusers knows 1000 discrete noise levels. It is given ours at t = 1/1000 ... 1, and we walk
exactly those its scheduler visits: for 10 steps 1.0, 0.9, ... 0.1, and then t = 1/1000, where
`final_sigmas_type="sigma_min"` and `set_alpha_to_one=False` make it end. Its habit of falling
back to a first-order step at the end (`lower_order_final`) is switched off; we have none.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
from torch import Tensor, nn

from engine.checkpoints.card import CARD, read_card
from engine.checkpoints.library import bundled_folder
from engine.checkpoints.native import load_network
from engine.denoiser import NetworkDenoiser
from engine.devices import Placement, choose_placement, use_threads
from engine.files import write_atomically
from engine.flow import ProbabilityFlow
from engine.sampling import sample
from engine.schedule import VPSchedule
from engine.solvers import solver
from engine.training.objective import make_network
from engine.training.recipes import FASHION32

VP = VPSchedule()
LEVELS = 1000
SIDES = ("ours", "theirs", "theirs_packed", "alone")
PEERS = {
    "ddim": ("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False}),
    "dpmpp-2m": (
        "DPMSolverMultistepScheduler",
        {
            "algorithm_type": "dpmsolver++",
            "solver_order": 2,
            "solver_type": "midpoint",
            "lower_order_final": False,
            "final_sigmas_type": "sigma_min",
        },
    ),
    "unipc": (
        "UniPCMultistepScheduler",
        {
            "solver_order": 2,
            "solver_type": "bh2",
            "lower_order_final": False,
            "final_sigmas_type": "sigma_min",
        },
    ),
}


def bundled_network() -> tuple[nn.Module, str]:
    """The bundled Fashion 32 or, where it is not there, its shape with random weights."""
    folder = bundled_folder() / "fashion32"
    if (folder / CARD).exists():
        return load_network(folder, read_card(folder / CARD)), "fashion32"
    random = torch.Generator().manual_seed(0)
    network = make_network(FASHION32).eval().requires_grad_(False)
    for parameter in network.parameters():
        if not parameter.any():  # the layers that begin at zero
            parameter.copy_(0.02 * torch.randn(parameter.shape, generator=random))
    return network, "random weights in the shape of fashion32"


def make_scheduler(name: str) -> Any:
    """Diffusers' counterpart of our solver, on our noise levels at t = 1/1000 ... 1."""
    times = torch.arange(1, LEVELS + 1, dtype=torch.float64) / LEVELS
    alphas_cumprod = VP.alpha(times) ** 2
    before = torch.cat([torch.ones(1, dtype=torch.float64), alphas_cumprod[:-1]])
    kind, options = PEERS[name]
    return getattr(diffusers, kind)(
        trained_betas=(1.0 - alphas_cumprod / before).tolist(),
        num_train_timesteps=LEVELS,
        timestep_spacing="trailing",
        **options,
    )


def gammas_of(scheduler: Any) -> list[float]:
    """The noise levels a scheduler visits, from its own float32 table; it ends at the lowest."""
    visited = scheduler.alphas_cumprod[[*scheduler.timesteps.tolist(), 0]].double()
    return ((1.0 - visited) / visited).sqrt().tolist()


class Nothing(nn.Module):
    """A network that costs nothing."""

    def forward(self, x: Tensor, log_gamma: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return x, x, log_gamma


class Pair:
    """One solver of ours and its peer, ready to make the same images with the same network."""

    def __init__(
        self, name: str, network: nn.Module, placement: Placement, noise: Tensor, steps: int
    ) -> None:
        self._network = placement.place(copy.deepcopy(network))
        self._placement, self._noise, self._steps = placement, noise, steps
        self._labels = torch.arange(len(noise)) % 10
        self._solver, self._scheduler = solver(name), make_scheduler(name)
        self._scheduler.set_timesteps(steps)
        self._gammas = gammas_of(self._scheduler)
        self._log_gammas = torch.tensor(self._gammas).log()

    def ours(self, state: torch.dtype = torch.float64) -> Tensor:
        """As the engine does it."""
        denoiser = NetworkDenoiser(
            self._network,
            "eps",
            self._labels,
            dtype=self._placement.dtype,
            memory_format=self._placement.memory_format,
        )
        flow = ProbabilityFlow(denoiser)
        *_, last = sample(self._solver, flow, self._noise.to(state), self._gammas, schedule=VP)
        return last.x

    @torch.no_grad()
    def theirs(self) -> Tensor:
        """As diffusers' own pipelines do it."""
        return self._their_loop()

    @torch.inference_mode()
    def theirs_packed(self) -> Tensor:
        """With the evaluations of the engine."""
        return self._their_loop()

    def _their_loop(self) -> Tensor:
        self._scheduler.set_timesteps(self._steps)  # forgets the last run
        x = self._noise.float()
        for log_gamma, t in zip(self._log_gammas[:-1], self._scheduler.timesteps, strict=True):
            eps, _, _ = self._network(x.to(self._placement.dtype), log_gamma.expand(len(x)), self._labels)
            x = self._scheduler.step(eps.float(), t, x, return_dict=False)[0]
        return x

    def alone(self) -> None:
        """The same evaluations with nothing around them: no sampler can be faster."""
        with torch.inference_mode():
            form = self._placement.memory_format
            x = self._noise.to(self._placement.dtype, memory_format=form)
            for log_gamma in self._log_gammas[:-1]:
                self._network(x, log_gamma.expand(len(x)), self._labels)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rmse(one: Tensor, other: Tensor) -> float:
    return (one.double() - other.double()).pow(2).mean().sqrt().item()


def ratio(one: list[float], other: list[float]) -> float:
    """The median of the ratios within each repeat: a busy moment hits both sides of one."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def measure(
    name: str, network: nn.Module, placements: list[Placement], *, batch: int, steps: int, repeats: int
) -> dict[str, Any]:
    """One row of the report: fp32 first, then, where it is another, the precision we ship with."""
    noise = torch.randn(batch, 1, 32, 32, generator=torch.Generator().manual_seed(0)).double()
    pairs = [Pair(name, network, placement, noise, steps) for placement in placements]
    row: dict[str, Any] = {"solver": name, "peer": PEERS[name][0], "batch": batch, "steps": steps}
    runs: dict[str, Callable[[], object]] = {}
    for pair, placement in zip(pairs, placements, strict=True):
        ours, theirs = pair.ours(), pair.theirs()  # also the warm-up
        pair.theirs_packed()
        pair.alone()
        row[placement.precision] = {
            "rmse": rmse(ours, theirs),
            "rmse_of_rounding": rmse(ours, pair.ours(torch.float32)),
        }
        for side in SIDES:
            runs[f"{side} {placement.precision}"] = getattr(pair, side)
    times: dict[str, list[float]] = {key: [] for key in runs}
    order = list(runs)
    for repeat in range(repeats):
        cut = repeat % len(order)  # each takes each place in turn
        for key in order[cut:] + order[:cut]:
            times[key].append(seconds(runs[key]))
    for placement in placements:
        ours_s, theirs_s, packed_s, alone_s = (times[f"{side} {placement.precision}"] for side in SIDES)
        row[placement.precision] |= {
            "time_ratio": ratio(ours_s, theirs_s),
            "time_ratio_same_evaluations": ratio(ours_s, packed_s),
            "least_possible_ratio": ratio(alone_s, theirs_s),
            "fastest_time_ratio": min(ours_s) / min(theirs_s),
            "ours_s": statistics.median(ours_s),
            "theirs_s": statistics.median(theirs_s),
            "network_s": statistics.median(alone_s),
        }
    # The sampling code by itself: around a network that does nothing.
    bare = Pair(name, Nothing(), placements[0], noise, steps)
    bare_s = [(seconds(bare.ours), seconds(bare.theirs)) for _ in range(repeats + 1)][1:]
    ours_ms, theirs_ms = (1e3 * statistics.median(side) / steps for side in zip(*bare_s, strict=True))
    row["sampler_ms_per_step"] = {"ours": ours_ms, "theirs": theirs_ms}
    shipped = placements[-1].precision
    row["ours_as_shipped_to_theirs_fp32"] = ratio(times[f"ours {shipped}"], times["theirs fp32"])
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=12, help="runs of each side (default 12)")
    parser.add_argument(
        "--steps", type=int, nargs="+", default=[10, 25], help="must divide 1000 (default 10 25)"
    )
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16], help="images at once (default 1 16)")
    parser.add_argument("--out", type=Path, default=Path("build/bench/peers.json"))
    chosen = parser.parse_args()

    threads = use_threads(None)
    network, what = bundled_network()
    placements = [choose_placement("cpu", "fp32")]
    shipped = choose_placement("cpu", "auto")
    if shipped.precision != "fp32":
        placements.append(shipped)
    names = [placement.precision for placement in placements]
    print(f"{what}, CPU with {threads} threads, diffusers {diffusers.__version__}")
    print("rmse and (what rounding alone makes); time ours / theirs and (network alone / theirs)")
    print(
        f"{'solver':10s}batch steps   " + "   ".join(f"{n:>9s} rmse              time" for n in names), end=""
    )
    print("   sampler alone, ms a step: ours, theirs")
    rows = []
    for batch in chosen.batch:
        for steps in chosen.steps:
            for name in PEERS:
                row = measure(name, network, placements, batch=batch, steps=steps, repeats=chosen.repeats)
                rows.append(row)
                cells = "   ".join(
                    f"{c['rmse']:.1e} ({c['rmse_of_rounding']:.1e})  {c['time_ratio']:.3f} ({c['least_possible_ratio']:.3f})"
                    for c in (row[n] for n in names)
                )
                bare = row["sampler_ms_per_step"]
                cells += f"   {bare['ours']:.2f}, {bare['theirs']:.2f}"
                print(f"{name:10s}{batch:5d} {steps:5d}   {cells}", flush=True)
    report = {
        "network": what,
        "device": "cpu",
        "threads": threads,
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "repeats": chosen.repeats,
        "worst_rmse_fp32": max(row["fp32"]["rmse"] for row in rows),
        "median_time_ratio": {n: statistics.median(row[n]["time_ratio"] for row in rows) for n in names},
        "median_time_ratio_same_evaluations": {
            n: statistics.median(row[n]["time_ratio_same_evaluations"] for row in rows) for n in names
        },
        "median_least_possible_ratio": {
            n: statistics.median(row[n]["least_possible_ratio"] for row in rows) for n in names
        },
        "median_sampler_alone_ratio": statistics.median(
            row["sampler_ms_per_step"]["ours"] / row["sampler_ms_per_step"]["theirs"] for row in rows
        ),
        "median_ours_as_shipped_to_theirs_fp32": statistics.median(
            row["ours_as_shipped_to_theirs_fp32"] for row in rows
        ),
        "pairs": rows,
    }
    write_atomically(
        chosen.out, lambda path: path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    )
    print("Median time ratios:", json.dumps(report["median_time_ratio"]), end="; ")
    print("with the same evaluations:", json.dumps(report["median_time_ratio_same_evaluations"]), end="; ")
    print(f"ours in {names[-1]} / theirs in fp32: {report['median_ours_as_shipped_to_theirs_fp32']:.3f}")
    print(f"Written to {chosen.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
