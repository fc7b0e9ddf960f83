"""Our networks, heads, solvers and guidance against numbers of the published ones.

The folder of golden data is named by GENIE_PARITY_DIR. Each case in it is found by itself: a
small model with random weights in the published file layout, and what the published code made
of it. A case with a pair of models is about guidance.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.checkpoints.published import fill, pair, read_published
from engine.checkpoints.recognise import NetworkConfig, build
from engine.denoiser import NetworkDenoiser, Prediction
from engine.flow import ProbabilityFlow, exact_derivative
from engine.guidance import GuidedPair
from engine.networks.adm import ADMConfig, ADMUpsampler, ADMUpsamplerConfig
from engine.networks.blocks import SelfAttention
from engine.networks.ddpm import DDPMConfig
from engine.networks.ncsnpp import NCSNppConfig
from engine.networks.published_head import PublishedHead, PublishedHeadConfig
from engine.networks.upsampler import ConditionedHead, ConditionedNetwork, enlarge, noisy_image
from engine.sampling import sample
from engine.schedule import VPSchedule, expand, step_grid
from engine.solvers import solver
from tests.engine.golden import GOLDEN

FOLDER = GOLDEN
CASES = sorted(path.parent.name for path in FOLDER.glob("*/case.json"))
VP = VPSchedule()

NEAR = 5e-5  # max error over the reference's standard deviation
NEAR_DERIVATIVE = 2e-4
SOLVERS = {"ddim": "ddim", "ttm2": "genie"}  # published name -> ours

if not FOLDER.is_dir():
    pytest.skip(
        f"there is no golden data at {FOLDER}; GENIE_PARITY_DIR names its folder", allow_module_level=True
    )


def read_case(name: str) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((FOLDER / name / "case.json").read_text(encoding="utf-8"))
    return case


SINGLE = [name for name in CASES if "diffusion_model" in read_case(name)]
GUIDED = [name for name in CASES if "guidance_scale" in read_case(name)]
RUNS = [(name, run["key"]) for name in SINGLE for run in read_case(name)["runs"]]


def config_of(case: dict[str, Any]) -> NetworkConfig:
    """Our config for a published one, which counts resolutions in pixels or in halvings."""
    c = case["diffusion_model"]
    widths = tuple(c["nf"] * factor for factor in c["ch_mult"])
    halvings = [2**level for level in range(len(widths))]
    adm = c["name"].startswith("openai")
    sizes = halvings if adm else [c["image_size"] // factor for factor in halvings]
    attention = tuple(size in c["attn_resolutions"] for size in sizes)
    shape = (c["image_size"], 3, c.get("num_classes") or 0, widths, c["num_res_blocks"], attention)
    match c["name"]:
        case "ncsnpp":
            return NCSNppConfig(*shape, time_scale=c["M"])
        case "ddpm":
            return DDPMConfig(*shape, time_scale=c["M"])
        case "openai":
            return ADMConfig(*shape, head_channels=c["num_head_channels"])
        case "openai_upsampler":
            return ADMUpsamplerConfig(*shape, c["num_head_channels"], c["cond_res"])
    raise AssertionError(f"a case for an architecture we don't have: {c['name']}")


def head_config_of(case: dict[str, Any], network: NetworkConfig) -> PublishedHeadConfig:
    c = case["genie_model"]
    return PublishedHeadConfig(
        3, network.widths[0], 4 * network.widths[0], c["nf"], c["is_upsampler"], c["normalize_xemb"]
    )


@dataclass(frozen=True)
class Model:
    """A case, loaded: what it expects, and our denoiser with its head."""

    case: dict[str, Any]
    expected: dict[str, Tensor]
    denoiser: NetworkDenoiser
    network: Any  # as the denoiser calls it
    labels: Tensor
    head: Any

    @property
    def gamma(self) -> Tensor:
        """Per image, (B, 1, 1, 1)."""
        return expand(VP.gamma(self.expected["t"].double()), self.expected["x"])

    def in_double(self) -> NetworkDenoiser:
        """The same network, without its head, in double precision."""
        network = copy.deepcopy(self.network)
        getattr(network, "network", network).double()
        return NetworkDenoiser(
            network, self.case["diffusion_model"]["pred"], self.labels, dtype=torch.float64
        )

    def predict(self) -> Prediction:
        return self.denoiser.predict(self.expected["x"].double(), self.gamma)


@cache
def model(name: str) -> Model:
    case, folder = read_case(name), FOLDER / name
    expected = load_file(folder / "expected.safetensors")
    config = config_of(case)
    network, head = build(config), build(head_config_of(case, config))
    assert isinstance(head, PublishedHead)
    for module, file in ((network, "checkpoint.pth"), (head, "genie_checkpoint.pth")):
        fill(module, read_published(folder / file))
        module.eval().requires_grad_(False)
    seen: Any = network
    bent: Any = head
    if isinstance(network, ADMUpsampler):
        level = expected["aug_level"].double()
        noisy = noisy_image(expected["low_res"], expected["aug_noise"], level, VP)
        condition = enlarge(noisy, case["diffusion_model"]["image_size"])
        seen, bent = ConditionedNetwork(network, condition, level), ConditionedHead(head, condition)
    labels = expected.get("y", torch.zeros(len(expected["x_T"]), dtype=torch.int64))
    prediction = case["diffusion_model"]["pred"]
    denoiser = NetworkDenoiser(seen, prediction, labels, dtype=torch.float32, head=bent)
    return Model(case, expected, denoiser, seen, labels, bent)


def error(found: Tensor, expected: Tensor) -> float:
    """The largest error over the standard deviation of what is expected."""
    assert found.shape == expected.shape
    return float((found.double() - expected.double()).abs().max() / expected.double().std())


# --- one evaluation ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", SINGLE)
def test_one_evaluation(name: str) -> None:
    """Output, eps, and the features and embedding that the head is given."""
    m = model(name)
    here = m.predict()
    assert error(here.eps, m.expected["eps"]) < NEAR
    assert error(here.features, m.expected["xemb"]) < NEAR
    assert error(here.embedding, m.expected["temb"]) < NEAR
    output, _, _ = m.network(m.expected["x"], m.gamma.log().reshape(-1), m.labels)
    assert error(output, m.expected["network_output"]) < NEAR


@pytest.mark.parametrize("name", SINGLE)
def test_the_head(name: str) -> None:
    """Both from what our network hands over and from what the published one did."""
    m = model(name)
    e = m.expected
    _, k = m.denoiser.eps_with_derivative(e["x"].double(), m.gamma)
    assert error(k, e["deps_dgamma_head"]) < NEAR
    k = m.head(e["x"], e["eps"], e["xemb"], e["temb"], m.gamma)
    assert error(k, e["deps_dgamma_head"]) < NEAR


class WithoutTangent(torch.autograd.Function):
    """The identity, with a derivative of zero."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return torch.zeros_like(tangent)


@pytest.mark.parametrize("name", SINGLE)
def test_the_published_derivative(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The golden derivative, with what it lacks for ADM.

    To rounding, it is there the derivative with nothing passing through an attention block:
    what two backward passes give where a block is recomputed by checkpointing, as ADM's
    attention is. Ours misses nothing (see the next test); here attention is made to, and then
    the numbers agree.
    """
    m = model(name)
    x = m.expected["x"].double()
    eps = m.predict().eps
    if m.case["diffusion_model"]["name"].startswith("openai"):
        attention = SelfAttention.forward
        monkeypatch.setattr(
            SelfAttention, "forward", lambda self, x: WithoutTangent.apply(attention(self, x))
        )
    k = exact_derivative(m.denoiser, x, eps, m.gamma)
    assert error(k, m.expected["deps_dgamma_exact"]) < NEAR_DERIVATIVE


@pytest.mark.parametrize("name", SINGLE)
def test_the_exact_derivative(name: str) -> None:
    """Against differences along the flow, from gamma - h to gamma + h, in double precision."""
    m = model(name)
    denoiser = m.in_double()
    x, gamma = m.expected["x"].double(), m.gamma
    eps = denoiser.eps(x, gamma)
    xbar = x * (1 + gamma**2).sqrt()

    def along(h: Tensor) -> Tensor:
        there = gamma + h
        return denoiser.eps((xbar + h * eps) / (1 + there**2).sqrt(), there)

    h = 1e-5 * gamma
    differences = (along(h) - along(-h)) / (2 * h)
    assert error(exact_derivative(denoiser, x, eps, gamma), differences) < 1e-4
    # In the precision it is used in.
    assert error(exact_derivative(m.denoiser, x, m.predict().eps, gamma), differences) < NEAR_DERIVATIVE


# --- whole images -----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "key"), RUNS)
def test_samples(name: str, key: str) -> None:
    m = model(name)
    run = next(run for run in m.case["runs"] if run["key"] == key)
    flow = ProbabilityFlow(m.denoiser)
    gammas = step_grid(VP, run["n_steps"], run["striding"], run["t_end"]).tolist()
    *_, last = sample(
        solver(SOLVERS[run["solver"]]), flow, m.expected["x_T"].double(), gammas,
        schedule=VP, analytic_first=run["afs"], denoise=run["denoise"],
    )  # fmt: skip
    assert last.evaluations == run["nfe"]
    assert error(last.x, m.expected[key]) < NEAR


@pytest.mark.parametrize("name", GUIDED)
@pytest.mark.parametrize("kind", sorted(SOLVERS))
def test_guided_samples(name: str, kind: str) -> None:
    """Two networks, each with its own head."""
    case = read_case(name)
    expected = load_file(FOLDER / name / "expected.safetensors")
    conditional, plain = model(case["conditional"]), model(case["unconditional"])
    prediction = conditional.case["diffusion_model"]["pred"]
    labelled = NetworkDenoiser(
        conditional.network, prediction, expected["y"], dtype=torch.float32, head=conditional.head
    )
    flow = ProbabilityFlow(GuidedPair(labelled, plain.denoiser, case["guidance_scale"]))
    gammas = step_grid(VP, case["n_steps"], case["striding"], case["t_end"]).tolist()
    *_, last = sample(solver(SOLVERS[kind]), flow, expected["x_T"].double(), gammas, schedule=VP)
    assert error(last.x, expected[f"sample_{kind}_{case['n_steps']}"]) < NEAR


def test_every_case_is_run() -> None:
    """A new kind of case, or one with numbers nobody compares, is not passed over in silence."""
    assert CASES, f"{FOLDER} holds no cases"
    assert sorted(SINGLE + GUIDED) == CASES
    inputs = {"t", "x", "x_T", "y", "low_res", "aug_noise", "aug_level"}
    compared = {
        "network_output",
        "eps",
        "xemb",
        "temb",
        "deps_dgamma_head",
        "deps_dgamma_exact",
        "cond_signal",
    }
    for name in SINGLE:
        m = model(name)
        assert set(m.expected) - inputs - compared == {run["key"] for run in m.case["runs"]}
    for name in GUIDED:
        keys = set(load_file(FOLDER / name / "expected.safetensors")) - inputs
        assert keys == {f"sample_{kind}_{read_case(name)['n_steps']}" for kind in SOLVERS}


@pytest.mark.parametrize(
    "name", [name for name in SINGLE if "cond_res" in read_case(name)["diffusion_model"]]
)
def test_the_conditioning_of_an_upsampler(name: str) -> None:
    e = model(name).expected
    noisy = noisy_image(e["low_res"], e["aug_noise"], e["aug_level"].double(), VP)
    assert error(noisy, e["cond_signal"]) < NEAR


@pytest.mark.parametrize("name", SINGLE)
def test_each_case_is_recognised(name: str) -> None:
    """By keys and shapes: which architecture, and all that they tell of its size."""
    config = config_of(read_case(name))
    network, head = (
        read_published(FOLDER / name / file) for file in ("checkpoint.pth", "genie_checkpoint.pth")
    )
    found = network.what.config
    assert type(found) is type(config)
    for key in ("channels", "classes", "widths", "blocks", "attention"):
        assert getattr(found, key) == getattr(config, key)
    assert head.what.config == head_config_of(read_case(name), config)
    assert read_case(name)["diffusion_model"]["pred"] in {m.prediction for m in pair(network, head)}
