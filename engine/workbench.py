"""What all tasks share: models in memory, on the devices they were asked for."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from traceback import clear_frames
from typing import cast

import torch

from engine.catalogue import read_catalogue
from engine.checkpoints.card import CARD, Card, read_card
from engine.checkpoints.library import user_folder
from engine.checkpoints.native import load_head, load_network
from engine.denoiser import Denoiser, ImageNetwork, Level, NetworkDenoiser
from engine.devices import Placement, is_out_of_memory, keep_freed_memory, release_memory, use_threads
from engine.errors import BadRequest, OutOfMemory
from engine.guidance import GuidedByNullLabel, GuidedPair
from engine.messages import Catalogue, Label, Loading, ModelInfo
from engine.networks.head import HeadNetwork
from engine.schedule import VPSchedule

__all__ = ["LoadedModel", "Workbench"]

_MODELS_KEPT = 3


@dataclass(frozen=True)
class LoadedModel:
    """A model in the memory of a device."""

    card: Card
    network: torch.nn.Module
    head: torch.nn.Module | None
    placement: Placement

    @property
    def schedule(self) -> VPSchedule:
        return VPSchedule(self.card.beta_min, self.card.beta_d)

    def denoiser(self, labels: Sequence[Label], *, head: bool) -> Denoiser:
        """The network asked for these labels; None is its null label, or 0 without classes."""
        return NetworkDenoiser(
            cast(ImageNetwork, self.network),
            self.card.prediction,
            label_tensor(labels, len(self.card.classes)).to(self.placement.device),
            dtype=self.placement.dtype,
            head=cast("HeadNetwork | None", self.head) if head else None,
            memory_format=self.placement.memory_format,
        )

    def guided(
        self,
        labels: Sequence[Label],
        guidance: float | Sequence[float],
        guide: LoadedModel | None = None,
        *,
        head: bool,
    ) -> Denoiser:
        """The same under guidance: by `guide`, or by the null label where there is none.

        `guidance` is one weight, or one for each image; all of them 0 cost no second evaluation.
        """
        weights = {guidance} if isinstance(guidance, (int, float)) else set(guidance)
        if weights <= {0.0}:
            return self.denoiser(labels, head=head)
        scale: Level = weights.pop()
        if weights:
            place = self.placement
            scale = torch.tensor(guidance, dtype=place.state_dtype, device=place.device)[:, None, None, None]
        without: list[Label] = [None] * len(labels)
        if guide is None:
            return GuidedByNullLabel(self.denoiser([*labels, *without], head=head), scale)
        return GuidedPair(self.denoiser(labels, head=head), guide.denoiser(without, head=head), scale)


def label_tensor(labels: Sequence[Label], classes: int) -> torch.Tensor:
    """Labels as a network takes them: int64 (B,), or weights (B, classes + 1), float32, if one is a mixture.

    The null label is number `classes`.
    """
    if not any(isinstance(label, tuple) for label in labels):
        numbers = [classes if label is None else label for label in labels]
        return torch.tensor(numbers, dtype=torch.int64)
    weights = torch.zeros(len(labels), classes + 1)
    for row, label in zip(weights, labels, strict=True):
        for number, weight in label if isinstance(label, tuple) else ((label, 1.0),):
            row[classes if number is None else number] += weight
    return weights


class Workbench:
    """Loads models and keeps those used last. Belongs to one thread.

    `folders` holds the folders to look for models in (default: the bundled and the user's
    own). `threads` is how many torch may compute with (default: all cores but one).
    """

    def __init__(self, folders: Sequence[Path] | None = None, *, threads: int | None = None) -> None:
        self._folders = folders
        self._loaded: dict[tuple[str, Placement], LoadedModel] = {}
        self.threads = use_threads(threads)
        keep_freed_memory()

    def catalogue(self) -> Catalogue:
        """What can be chosen now; models that came since the last look are in it."""
        return read_catalogue(self._folders)

    @property
    def own_folder(self) -> Path:
        """Where new models go: the user's own folder, or the last of those given."""
        return Path(self._folders[-1]) if self._folders else user_folder()

    def load(self, info: ModelInfo, placement: Placement) -> Generator[Loading, None, LoadedModel]:
        """The model on that device; says how far it is unless it was there already.

        Errors: `BadCheckpoint` for damaged files, `OutOfMemory` if it doesn't fit even alone.
        """
        card = read_card(Path(info.folder) / CARD)
        key = (info.folder, placement)
        there = self._loaded.pop(key, None)
        if there is not None and there.card == card:
            self._loaded[key] = there  # now the one used last
            return there
        yield Loading(info.name, 0.0)
        folder = Path(info.folder)
        try:
            loaded = yield from self._read(info.name, folder, card, placement)
            failure = None
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            failure = str(error)
        # Out of the handler, whose traceback would keep what was loaded so far.
        if failure is not None:
            self.release_except(())
            try:
                loaded = yield from self._read(info.name, folder, card, placement)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                raise OutOfMemory(
                    f"{info.title} doesn't fit into the memory of {placement.title}. "
                    "Close other programs or choose another device.",
                    field="device",
                    details=failure,
                ) from error
        self._loaded[key] = loaded
        while len(self._loaded) > _MODELS_KEPT:
            del self._loaded[next(iter(self._loaded))]
        yield Loading(info.name, 1.0)
        return loaded

    def load_pair(
        self, info: ModelInfo, guide: ModelInfo | None, placement: Placement
    ) -> Generator[Loading, None, tuple[LoadedModel, LoadedModel | None]]:
        """A model and the one that guides it; a `BadRequest` if their noise schedules differ."""
        loaded = yield from self.load(info, placement)
        if guide is None:
            return loaded, None
        second = yield from self.load(guide, placement)
        if second.schedule != loaded.schedule:
            raise BadRequest(
                f"{guide.title} was trained with another noise schedule than {info.title}. "
                "A guided pair needs the same.",
                field="guidance_model",
            )
        return loaded, second

    def smaller_batch(
        self, tried: int, error: BaseException, kept: Sequence[LoadedModel | None]
    ) -> int | None:
        """After memory ran out with `tried` images at once: how many to try now, all but `kept` freed.

        None if the error is about something else. `OutOfMemory` if one was tried; the first of
        `kept` is what it is said of.
        """
        if not is_out_of_memory(error):
            return None
        clear_frames(error.__traceback__)  # what was computed so far is held there
        models = [model for model in kept if model is not None]
        self.release_except(models)
        if tried > 1:
            return tried // 2
        raise OutOfMemory(
            f"Not even one picture of {models[0].card.title} fits into the memory of "
            f"{models[0].placement.title}. Close other programs, choose another device or another precision.",
            field="device",
            details=str(error) or type(error).__name__,
        )

    def _read(
        self, name: str, folder: Path, card: Card, placement: Placement
    ) -> Generator[Loading, None, LoadedModel]:
        network = placement.place(load_network(folder, card))
        yield Loading(name, 0.8)
        head = load_head(folder, card)
        return LoadedModel(card, network, placement.place(head) if head is not None else None, placement)

    def release_except(self, kept: Sequence[LoadedModel]) -> None:
        """Forget all other models and give their memory back."""
        devices = {loaded.placement.device for loaded in self._loaded.values()}
        self._loaded = {
            key: loaded for key, loaded in self._loaded.items() if any(loaded is other for other in kept)
        }
        for device in devices:
            release_memory(device)
