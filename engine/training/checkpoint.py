"""A module in training, and the file it is kept in: stopped at any step, it goes on from there."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import BadCheckpoint, BadRequest, EngineError, MissingData
from engine.files import surely, write_atomically
from engine.training.optimiser import Optimiser

__all__ = ["Training", "read_checkpoint"]

_SECONDS = 120.0  # between two savings
_HOPELESS = 20  # steps in a row whose gradient is no number
_KEYS = ("seed", "step", "steps", "seconds", "average", "optimiser")


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What a `Training` wrote; `MissingData` if it isn't there, `BadCheckpoint` if it is damaged."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        lacking = [key for key in _KEYS if key not in state]
        if lacking:
            raise ValueError(f"it has no {', '.join(lacking)}")
    except FileNotFoundError:
        raise MissingData(f"There is no {path}. Train it first.", field="out") from None
    except Exception as error:  # torch has many words for a file that is not what it should be
        raise BadCheckpoint(
            f"Couldn't read {path}: it is damaged, or no checkpoint of a training. "
            "Give another --out, or move it away and start anew.",
            field="out",
            details=str(error)[:2000],
        ) from error
    assert isinstance(state, dict)
    return state


class Training:
    """A module with its optimiser and running average (EMA), on their way from `step` to `steps`.

    `names` are what the file calls what the training can't change (`identity`) and the module.
    It ends at `asked`, or else at `usual`, the steps of its recipe. The file keeps only steps that
    aren't the usual ones: a training begun with them goes on to them, any other to those of its
    recipe, however many that has come to have.
    """

    def __init__(
        self,
        path: Path,
        module: nn.Module,
        optimiser: Optimiser,
        *,
        names: tuple[str, str],
        identity: str,
        seed: int,
        asked: int | None,
        usual: int,
        begun: float,
    ) -> None:
        self._path, self._module, self._optimiser = path, module, optimiser
        self._names, self._identity, self._seed = names, identity, seed
        self._average = {name: value.clone() for name, value in module.state_dict().items()}
        self._begun = begun  # on the clock of time.monotonic()
        self._before = 0.0  # seconds of training before it was resumed
        self._saved, self._saved_at = 0, time.monotonic()
        self._asked, self._usual = asked, usual
        self._lost = 0  # steps in a row that could not be made
        self.step, self.steps = 0, asked or usual

    @property
    def average(self) -> Mapping[str, Tensor]:
        """The running average of the module's weights (EMA), by name."""
        return self._average

    @property
    def seconds(self) -> float:
        """Of training so far, interruptions left out."""
        return self._before + time.monotonic() - self._begun

    def resume(self, device: torch.device) -> None:
        """Go on from the file, if there is one; a `BadCheckpoint` if it is another training's."""
        if not surely(self._path.exists):
            return
        state = read_checkpoint(self._path, device)
        what, module = self._names
        another = BadCheckpoint(
            f"{self._path} comes from another network, recipe or seed. Give another --out, "
            "or move that file away.",
            field="resume",
        )
        if state.get(what) != self._identity or state["seed"] != self._seed:
            raise another
        self.steps = self._asked or state.get("asked") or self._usual
        if state["step"] > self.steps:
            raise BadRequest(
                f"The training would end at step {self.steps:,}, but {self._path} stands at step "
                f"{state['step']:,} of {state['steps']:,} already. Give --steps {state['steps']} or more.",
                field="steps",
            )
        try:
            self._module.load_state_dict(state[module])
            self._optimiser.load_state_dict(state["optimiser"])
        except (KeyError, RuntimeError, ValueError) as error:  # of a program with other networks
            raise another from error
        self._average = state["average"]
        self.step, self._before = state["step"], state["seconds"]
        self._begun = time.monotonic()
        self._saved = self.step if state["steps"] == self.steps else -1
        if self.step == self.steps:
            self.save()  # if another end stands there, which has not been reached

    def descend(self, loss: Tensor, learning_rate: float, ema: float) -> None:
        """One step: the module along the gradient of its loss, its running average after it.

        The average starts short, so that the first weights are soon forgotten. A step whose
        gradient is no number changes nothing but the count; `EngineError` after many in a row.
        Saves every two minutes and after the last step.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self._module.parameters(), 1.0)
        self._lost = 0 if bool(norm.isfinite()) else self._lost + 1
        if not self._lost:
            self._optimiser.step()
            rate = min(ema, (self.step + 1) / (self.step + 10))
            with torch.no_grad():
                for name, value in self._module.state_dict().items():
                    self._average[name].lerp_(value, 1.0 - rate)
        self.step += 1
        if self._lost == _HOPELESS:
            self.save()
            raise EngineError(
                f"The training has come to nothing: the loss of the last {_HOPELESS} steps, up to step "
                f"{self.step:,}, is no number. Begin anew with another --seed and --out."
            )
        if time.monotonic() - self._saved_at > _SECONDS or self.step == self.steps:
            self.save()

    def save(self) -> None:
        """Write the file, unless it holds this step already."""
        if self.step == self._saved:
            return
        what, module = self._names
        weights = self._module.state_dict()
        if not all(bool(value.isfinite().all()) for value in (*weights.values(), *self._average.values())):
            raise EngineError(
                f"The weights at step {self.step:,} are not numbers any more. {self._path} keeps those "
                "that were saved before, if any: go on from it with --resume, or begin anew with another --seed and --out."
            )
        state = {
            what: self._identity, "seed": self._seed, "step": self.step, "steps": self.steps,
            "asked": self.steps if self.steps != self._usual else None,
            "seconds": self.seconds, module: weights,
            "average": self._average, "optimiser": self._optimiser.state_dict(),
        }  # fmt: skip
        # In memory first: of a full disk torch says something that nobody understands.
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self._path, lambda file: file.write_bytes(buffer.getbuffer()))
        self._saved, self._saved_at = self.step, time.monotonic()
