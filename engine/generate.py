"""Images from noise, group after group, live and stoppable after every evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.denoiser import Denoiser
from engine.devices import choose_placement
from engine.flow import ProbabilityFlow
from engine.groups import Groups
from engine.latents import noise
from engine.messages import Control, Event, GenerateRequest, Result
from engine.plan import choose_batch, make_plan
from engine.provenance import provenance
from engine.sampling import Step, sample
from engine.schedule import step_grid
from engine.solvers import solver
from engine.workbench import Workbench

__all__ = ["run"]


def run(workbench: Workbench, request: GenerateRequest, control: Control) -> Iterator[Event]:
    """Generate; ends with exactly one Result.

    After a stop it holds the groups finished by then (perhaps no picture), and likewise once
    memory no longer suffices for one picture more, which a Notice says.
    """
    plan = make_plan(request, workbench.catalogue())
    derivative = plan.solver.derivative
    placement = choose_placement(request.device, request.precision, exact=derivative == "exact")
    model, guide = yield from workbench.load_pair(plan.model, plan.guide, placement)
    gammas = step_grid(model.schedule, request.steps, request.spacing, request.t_end).tolist()

    def denoiser(labels: Sequence[int | None]) -> Denoiser:
        return model.guided(labels, request.guidance, guide, head=derivative == "head")

    def walk(first: int, count: int) -> Iterator[Step]:
        chosen = slice(first, first + count)
        x = noise(request.seeds[chosen], plan.shape).to(placement.device, placement.state_dtype)
        return sample(
            solver(request.solver), ProbabilityFlow(denoiser(request.labels[chosen])), x, gammas,
            schedule=model.schedule, analytic_first=request.analytic_first, denoise=request.denoise,
        )  # fmt: skip

    evaluations = plan.calls * denoiser(request.labels[:1]).evaluations
    groups = Groups(
        workbench, control, model, guide, request.count, plan.shape, evaluations,
        choose_batch(plan, placement), control.keep_steps and plan.keeps_steps(),
    )  # fmt: skip
    yield from groups.run(walk)
    yield Result(
        request=request,
        pictures=groups.pictures,
        steps=groups.steps,
        evaluations=evaluations,
        evaluations_paper=plan.calls,
        seconds=groups.seconds,
        provenance=provenance(placement, groups.sizes),
        notices=tuple(groups.notices),
    )
