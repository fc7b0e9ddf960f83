"""Models that come and pictures that grow: importing files, and the upsampler."""

from __future__ import annotations

from pathlib import Path

from app.tour.chapters.keeping import files
from app.tour.chapters.making import generate, set_number, set_seed
from app.tour.guide import Guide, LostTheWay
from app.views.upsample_dialog import UpsampleDialog
from engine.messages import Upsampled

__all__ = ["importing", "upsampling"]


def importing(guide: Guide) -> None:
    """Files no model can be made of, so that the person's own models are not touched."""
    window, studio = guide.window, guide.studio
    broken = _not_a_model(files(guide) / "broken.pth")
    before = studio.catalogue
    guide.drop(broken)
    page = window.models_page
    guide.wait(lambda: studio.library.outcome is not None, "the import ends")
    panel = page.importing
    words = [row.words.text() for row in panel.rows]
    guide.state(
        "import refused",
        {
            "the drop leads to the models": window.room == "models" and panel.isVisible(),
            "the file is named": [row.name.text() for row in panel.rows] == [broken.name],
            "and why it was refused": bool(words) and len(words[0]) > 20,
            "nothing was imported": studio.library.fresh == (),
        },
    )
    guide.click(panel.close_button)
    guide.state(
        "models as before",
        {
            "the message is gone": panel.isHidden(),
            "every model is still there": studio.catalogue is not None
            and before is not None
            and studio.catalogue.models == before.models,
            "what they take on disk is told": "on disk" in page.storage.text(),
        },
    )


def _not_a_model(file: Path) -> Path:
    file.write_bytes(b"PK\x03\x04 and then nothing")  # as a download that was cut short begins
    return file


def upsampling(guide: Guide) -> None:
    studio, window = guide.studio, guide.window
    canvas = window.generate_room.canvas
    base = next((info for info in studio.settings.models if info.upsampler and not info.problem), None)
    if base is None:
        guide.state(
            "no upsampler", {"nothing offers to upsample": not canvas.buttons["upsample"].isVisible()}
        )
        return
    chosen = studio.settings.to_dict()
    studio.settings.model = base.name
    guide.settle()
    set_number(guide, "count", 2)
    set_seed(guide, 7)
    generate(guide)
    small = guide.result
    guide.click(canvas.buttons["upsample"])
    dialog = canvas.upsampling
    if not isinstance(dialog, UpsampleDialog) or not dialog.isVisible():
        raise LostTheWay("the button opens no dialog to upsample")
    guide.click(dialog.fold)
    guide.state(
        "upsample",
        {
            "it says from which size to which": f"{base.image_size} × {base.image_size} →"
            in dialog.caption.text(),
            "noise and seeds can be chosen": dialog.advanced.isVisible(),
        },
    )
    guide.engine.hold_at(2)
    guide.click(dialog.accept_button)
    guide.wait(guide.engine.held.is_set, "the first preview comes", 60)
    guide.state(
        "upsampling",
        {
            "it is live on the canvas": studio.canvas.state == "running",
            "in the large size": (picture := studio.canvas.picture(0)) is not None
            and picture.width > base.image_size,
        },
    )
    guide.engine.let_go()
    guide.idle()
    outcome: object = guide.results[-1]
    large = outcome.pictures if isinstance(outcome, Upsampled) and outcome.complete else None
    guide.state(
        "upsampled",
        {
            "the picture is large": large is not None and studio.canvas.pictures == large,
            "it is in the history": studio.history.record_at(0).kind == "upsample",
        },
    )
    canvas.grid.setFocus()
    guide.keys("C")
    guide.state("small and large compared", {"side by side": studio.canvas.mode == "compare"})
    guide.keys("Esc")
    studio.settings.from_dict(chosen)
    guide.settle()
    if small.pictures.count < 1:
        raise LostTheWay("nothing was generated that could be upsampled")
