"""Upsampling and importing through the real engine in its thread, on tiny models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.engine_worker import TorchEngine
from app.models.studio import Studio
from app.store import Store
from engine.images import read_settings
from engine.messages import Upsampled
from tests.engine.test_upsample import models as models  # a fixture: the tiny models

PATIENCE_MS = 60_000


@pytest.fixture
def studio(qtbot: QtBot, models: Path) -> Iterator[Studio]:
    studio = Studio(Store(None), lambda: TorchEngine([models]))
    with qtbot.waitSignal(studio.host.engine_ready, timeout=PATIENCE_MS):
        studio.start()
    yield studio
    studio.shutdown()


def test_from_noise_to_large(studio: Studio, qtbot: QtBot, tmp_path: Path) -> None:
    base = next(info for info in studio.settings.models if info.upsampler)
    studio.settings.set_values({"model": base.name, "count": 2, "seed": 3, "steps": 2})
    studio.upsampling.set_value("steps", 2)
    studio.upsampling.set_auto(True)
    assert studio.generate() is not None
    qtbot.waitUntil(lambda: isinstance(studio.canvas.result, Upsampled), timeout=PATIENCE_MS)
    outcome = studio.canvas.result
    assert isinstance(outcome, Upsampled)
    assert (outcome.complete, outcome.pictures.width > base.image_size) == (True, True)
    assert outcome.request.seeds == (3, 4)
    qtbot.waitUntil(lambda: len(studio.canvas.record_ids) == 2, timeout=PATIENCE_MS)
    with qtbot.waitSignal(studio.writer.written, timeout=PATIENCE_MS):
        assert studio.save_images([1], tmp_path / "large.png")
    from engine.upsample_requests import repeat

    request, place = repeat(read_settings(tmp_path / "large.png"))
    studio.submit(request)
    with qtbot.waitSignal(studio.host.job_finished, timeout=PATIENCE_MS) as ended:
        pass
    assert ended.args is not None
    assert ended.args[1].pictures.one(place) == outcome.pictures.one(1)  # bit for bit, from the file alone


def test_a_file_that_is_no_model_is_refused_with_a_reason(
    studio: Studio, qtbot: QtBot, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"PK\x03\x04 and then nothing")
    studio.library.import_files([broken])
    qtbot.waitUntil(lambda: studio.library.outcome is not None, timeout=PATIENCE_MS)
    (refused,) = studio.library.refused
    assert refused.file == str(broken)
    assert str(broken) in refused.message
    assert studio.library.fresh == ()
