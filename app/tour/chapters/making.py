"""From an empty canvas to pictures: model, class, Generate, every solver, stopping, mistakes."""

from __future__ import annotations

from app.models.settings import PRESETS
from app.tour.guide import Guide
from app.views.class_picker import ClassPicker
from app.views.fields import NumberRow

__all__ = ["advanced", "first_pictures", "generate", "solvers", "start", "stop", "wrong_input"]

COUNT, STEPS, SEED = 6, 5, 1000


def generate(guide: Guide) -> None:
    """Press Ctrl+Enter and wait for the result."""
    before = len(guide.results)
    guide.keys("Ctrl+Return")
    guide.wait(lambda: len(guide.results) > before, "the engine gives a result", 120)
    guide.idle()


def number(guide: Guide, name: str) -> NumberRow:
    row = guide.window.generate_room.controls.rows[name]
    assert isinstance(row, NumberRow)
    return row


def set_number(guide: Guide, name: str, value: object) -> None:
    guide.fill(number(guide, name).entry, str(value))


def set_seed(guide: Guide, seed: int) -> None:
    guide.fill(guide.window.generate_room.controls.seed.entry, str(seed))


def set_solver(guide: Guide, name: str) -> None:
    guide.choose(guide.window.generate_room.controls.solver.choice, name)


def start(guide: Guide) -> None:
    studio, room = guide.studio, guide.window.generate_room
    canvas = room.canvas
    guide.state(
        "start",
        {
            "the canvas says what it is for": canvas.stack.currentWidget() is canvas.empty,
            "Generate can be pressed before the engine is there": room.controls.generate.isEnabled(),
            "the history is empty": studio.history.total == 0,
        },
    )
    studio.start()
    guide.wait(lambda: studio.catalogue is not None, "the models are listed")
    guide.wait(lambda: studio.engine_state != "starting", "the engine starts", 60)
    if canvas.gallery.isVisible():
        guide.state(
            "first minute",
            {"there are pictures to make more of": len(canvas.gallery.buttons) > 1},
        )
    picker = room.controls.model
    guide.click(picker.card)
    guide.state(
        "models to choose from",
        {
            "every model has a card": len(picker.cards) == len(studio.settings.models),
            "the chosen one is marked": sum(card.isChecked() for card in picker.cards) == 1,
        },
    )
    wanted = next(card for card in picker.cards if card.info is not None and card.info.name == guide.model)
    guide.click(wanted)
    guide.wait(
        lambda: (loaded := studio.status.loaded_model) is not None and loaded.name == guide.model,
        "the model is loaded while nothing runs",
        60,
    )
    guide.state(
        "ready",
        {
            "the engine is ready": studio.engine_state == "ready",
            "the model is chosen": studio.settings.model == guide.model,
            "the line at the foot names it": studio.model_info(guide.model).title in studio.status.text,  # type: ignore[union-attr]
        },
    )


def first_pictures(guide: Guide) -> None:
    studio, room = guide.studio, guide.window.generate_room
    controls, canvas, settings = room.controls, studio.canvas, studio.settings
    info = settings.model_info
    assert info is not None
    if info.classes:
        wanted = "Ankle boot" if "Ankle boot" in info.classes else info.classes[0]
        row = controls.rows["pick"]
        assert isinstance(row, ClassPicker)
        guide.click(row.button)
        guide.type(wanted)
        assert row.popup is not None
        guide.state("classes to choose from", {"the search finds it": row.popup.list.model().rowCount() >= 1})
        guide.keys("Return", "Esc")
        guide.wait(lambda: settings.pick == (info.classes.index(wanted),), f"the class {wanted} is chosen")
    set_number(guide, "count", COUNT)
    set_number(guide, "steps", STEPS)
    set_seed(guide, SEED)
    guide.engine.hold_at(2)
    guide.keys("Ctrl+Return")
    guide.wait(guide.engine.held.is_set, "the engine is in the middle of the job", 60)
    guide.wait(lambda: canvas.begun(0), "the first picture from its middle arrives")
    guide.wait(lambda: "step" in guide.window.windowTitle(), "the title tells how far it is")
    guide.state(
        "running",
        {
            "the canvas says so": canvas.state == "running",
            "the screen shows what the engine has so far": guide.engine.preview is not None
            and guide.tiles_as(guide.engine.preview, of=COUNT),  # the engine may make them in groups
            "the line under it counts steps": "step" in room.canvas.line.left.text(),
            "it can be stopped": controls.stop.isVisible() and controls.stop.isEnabled(),
            "the queue shows it": studio.queue.running is not None,
        },
    )
    guide.engine.let_go()
    guide.idle()
    result = guide.result
    guide.state(
        "first pictures",
        {
            "all are there": result.complete and canvas.state == "done" and canvas.count == COUNT,
            "the screen shows what the engine gave, pixel for pixel": guide.tiles_as(result.pictures),
            "the seed is the one asked for": result.request.seed == SEED,
            "they are in the history": studio.history.total == COUNT,
            "the title is quiet again": guide.window.windowTitle() == "GENIE Studio",
            "the settings are those of the pictures": not canvas.stale,
        },
    )


def solvers(guide: Guide) -> None:
    """Every solver the model can be walked with, at the same seed."""
    studio = guide.studio
    info = studio.settings.model_info
    assert info is not None
    for solver in studio.settings.catalogue.solvers:
        if solver.derivative == "head" and not info.has_head:
            continue
        total = studio.history.total
        set_solver(guide, solver.name)
        set_number(guide, "steps", STEPS)
        generate(guide)
        result = guide.result
        branches = 1 if studio.settings.guidance == 0.0 else 2
        expected = branches * solver.evaluations(STEPS, analytic_first=False, denoise=False)
        guide.state(
            f"solver {solver.name}",
            {
                "it made the pictures": result.request.solver == solver.name and result.complete,
                "the screen shows what the engine gave, pixel for pixel": guide.tiles_as(result.pictures),
                f"the network was asked {expected} times": result.evaluations == expected,
                "that is what the window says": f"{expected} evaluation"
                in guide.window.generate_room.canvas.line.right.text(),
                "they are in the history": studio.history.total == total + COUNT,
            },
        )


def stop(guide: Guide) -> None:
    """In the middle of a long job: it ends within one evaluation, and the next one is clean."""
    studio, controls = guide.studio, guide.window.generate_room.controls
    set_solver(guide, "ddim")
    set_number(guide, "steps", 300)
    guide.keys("Ctrl+Return")
    guide.wait(lambda: studio.canvas.progress.evaluations >= 3, "the job has begun", 60)
    asked = guide.engine.evaluations
    guide.click(controls.stop)
    guide.wait(lambda: studio.canvas.state == "stopped", "the job stops")
    guide.idle()
    guide.state(
        "stopped",
        {
            "within one evaluation": guide.engine.after_cancel <= 1 and asked < 300,
            "the canvas says what was kept": "Stopped" in guide.window.generate_room.canvas.line.left.text(),
            "Stop is gone": not controls.stop.isVisible(),
            "the focus is on Generate": controls.generate.hasFocus(),
            "the queue tells of it": studio.queue.jobs[0].state == "cancelled",
        },
    )
    set_solver(guide, "genie" if studio.settings.model_info.has_head else "genie-exact")  # type: ignore[union-attr]
    set_number(guide, "steps", STEPS)
    generate(guide)
    guide.state(
        "after the stop",
        {
            "the next job is done": studio.canvas.state == "done" and guide.result.complete,
            "the screen shows what the engine gave, pixel for pixel": guide.tiles_as(guide.result.pictures),
        },
    )


def wrong_input(guide: Guide) -> None:
    studio, controls = guide.studio, guide.window.generate_room.controls
    row = number(guide, "steps")
    set_number(guide, "steps", 0)
    guide.state(
        "wrong input",
        {
            "what is wrong stands beside the control": row.error.isVisible() and "1" in row.error.text(),
            "Generate says what is in its way": not controls.generate.isEnabled()
            and "Steps" in controls.obstacle.text(),
            "the setting is as it was": studio.settings.steps == STEPS,
        },
    )
    guide.keys("Esc")
    guide.wait(lambda: not row.error.isVisible(), "Esc takes the mistake back")
    set_number(guide, "steps", "ten")
    guide.state("wrong word", {"a word is refused like a wrong number": row.error.isVisible()})
    guide.keys("Esc")


def advanced(guide: Guide) -> None:
    studio, controls = guide.studio, guide.window.generate_room.controls
    guide.click(controls.fold)
    guide.click(controls.analytic_first.switch)
    guide.choose(controls.spacing.choice, "log-snr")
    guide.state(
        "advanced settings",
        {
            "the fold is open": controls.advanced.isVisible(),
            "the switch is on": studio.settings.analytic_first,
            "the list is heeded": studio.settings.spacing == "log-snr",
            "what was changed is marked": controls.spacing.label.differs,
            "the canvas says that settings have changed": studio.canvas.stale,
        },
    )
    guide.click(controls.spacing.label, double=True)
    guide.click(controls.analytic_first.label, double=True)
    guide.state(
        "settings put back",
        {
            "a double-click on the label puts it back": not studio.settings.differs("spacing")
            and not studio.settings.analytic_first,
        },
    )
    guide.click(controls.fold)
    guide.click(controls.preset.segments.buttons["draft"])
    guide.state(
        "draft",
        {
            "the preset sets the steps": studio.settings.steps == PRESETS["draft"],
            "the fold is closed": not controls.advanced.isVisible(),
        },
    )
