"""The real engine in its thread, on a tiny model: what the fake one promises is true of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.engine_worker import TorchEngine
from app.models.studio import Studio
from app.store import Store
from engine.images import read_settings
from engine.messages import Progress
from tests.engine.tiny_model import write_tiny_model


@pytest.fixture
def studio(qtbot: QtBot, tmp_path: Path) -> Iterator[Studio]:
    write_tiny_model(tmp_path / "models")
    made = Studio(Store(None), lambda: TorchEngine([tmp_path / "models"]))
    made.start()
    qtbot.waitUntil(lambda: made.engine_state != "starting", timeout=60_000)
    yield made
    assert made.shutdown()


def finish(qtbot: QtBot, studio: Studio) -> None:
    qtbot.waitUntil(lambda: studio.queue.running is None and not studio.queue.pending, timeout=60_000)


def test_generate_with_every_solver_and_save(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    assert studio.engine_state == "ready"
    assert studio.settings.model == "tiny"
    assert studio.catalogue is not None
    events: list[Progress] = []
    studio.queue.job_progress.connect(lambda _, event: events.append(event))
    for solver in studio.catalogue.solvers:
        studio.settings.set_values({"solver": solver.name, "steps": 4, "count": 2, "seed": 1})
        studio.generate()
        finish(qtbot, studio)
        assert studio.canvas.state == "done", (solver.name, studio.canvas.failure)
        assert studio.canvas.result is not None
        last = [event for event in events if isinstance(event, Progress)][-1]
        assert last.evaluations == last.evaluations_total
        assert studio.settings.planned_evaluations() == f"{studio.canvas.result.evaluations} evaluations"
        assert [frame.step for frame in studio.canvas.steps] == [1, 2, 3, 4]
    assert studio.history.total == 2 * len(studio.catalogue.solvers)
    with qtbot.waitSignal(studio.writer.written):
        studio.save_images([1], tmp_path / "one.png")
    assert read_settings(tmp_path / "one.png").request == studio.canvas.request


def test_stop_in_the_middle_and_go_on(qtbot: QtBot, studio: Studio) -> None:
    studio.settings.set_values({"solver": "ddim", "steps": 1000, "count": 1, "seed": 1})
    studio.generate()
    qtbot.waitUntil(lambda: studio.canvas.progress.step >= 3, timeout=60_000)
    studio.stop()
    finish(qtbot, studio)
    assert studio.canvas.state == "stopped"
    assert studio.history.total == 0
    studio.settings.steps = 2
    studio.generate()
    finish(qtbot, studio)
    assert studio.canvas.state == "done"


def test_closing_in_the_middle_of_a_job_is_quick(qtbot: QtBot, studio: Studio) -> None:
    studio.settings.set_values({"solver": "ddim", "steps": 1000, "count": 1})
    studio.generate()
    qtbot.waitUntil(lambda: studio.canvas.progress.step >= 3, timeout=60_000)
    begun = time.perf_counter()
    assert studio.shutdown()
    assert time.perf_counter() - begun < 2.0


def test_damaged_weights_are_told_beside_the_model(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "models", "damaged")
    (tmp_path / "models" / "damaged" / "network.safetensors").write_bytes(b"broken")
    with qtbot.waitSignal(studio.catalogue_changed):
        studio.host.refresh_catalogue()  # a model that came while the window was open
    studio.settings.set_values({"model": "damaged", "count": 1, "steps": 2})
    studio.generate()
    finish(qtbot, studio)
    assert studio.canvas.state == "failed"
    assert studio.canvas.failure is not None
    assert studio.canvas.failure.kind == "bad-checkpoint"
    assert "network.safetensors" in studio.canvas.failure.message
    studio.settings.set_values({"model": "tiny", "count": 1, "steps": 2})
    studio.generate()
    finish(qtbot, studio)
    assert studio.canvas.state == "done"
