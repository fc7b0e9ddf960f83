"""Latents as files of their own, for other programs, other machines, other people."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

from engine.checkpoints.card import CARD, read_card
from engine.errors import BadRequest
from engine.files import surely, write_atomically
from engine.latents import Latent, latent_from_bytes, realise, short_id, write_latent
from engine.messages import Control, Event, FileLatent
from engine.messages.latent_files import LatentRequest, LatentSaved
from engine.messages.latents import source_to_dict
from engine.plan import drawing_model
from engine.schedule import VPSchedule, step_grid
from engine.workbench import Workbench

__all__ = ["run"]


def run(workbench: Workbench, request: LatentRequest, control: Control) -> Iterator[Event]:  # noqa: ARG001  # done in a moment
    """Write the file, whole or not at all; ends with one `LatentSaved`.

    A latent that is a file already is copied as it is, with all it knows about itself.
    """
    began = time.monotonic()
    model = drawing_model(request.model, workbench.catalogue())
    out = Path(request.out).expanduser().absolute()
    if surely(out.is_dir):
        raise BadRequest(f"{out} is a folder. Choose another name for the file.", field="out")
    z = realise(request.source, (model.channels, model.image_size, model.image_size), model.name)
    if isinstance(request.source, FileLatent):
        data = Path(request.source.path).read_bytes()
        latent_from_bytes(data, request.source.path)  # the same that was just looked at
        write_atomically(out, lambda temporary: temporary.write_bytes(data))
        digest = hashlib.sha256(data).hexdigest()
    else:
        card = read_card(Path(model.folder) / CARD)
        gamma = step_grid(VPSchedule(card.beta_min, card.beta_d), 1, "quadratic", 1e-3).tolist()[0]
        origin = {"source": source_to_dict(request.source)}
        digest = write_latent(out, Latent(z, model.name, request.label, gamma, origin))
    yield LatentSaved(request, str(out), short_id(z), digest, time.monotonic() - began)
