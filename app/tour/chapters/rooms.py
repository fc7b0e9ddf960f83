"""The other rooms, and the ways to find one's way: help, shortcuts, commands."""

from __future__ import annotations

from app.tour.chapters.making import number
from app.tour.guide import Guide
from app.views import theme

__all__ = ["help_and_commands", "rooms"]


def rooms(guide: Guide) -> None:
    window, studio = guide.window, guide.studio
    guide.click(window.rail.buttons["models"])
    page = window.models_page
    card = next(card for card in page.cards if card.info is not None and card.info.name == guide.model)
    guide.click(card)
    guide.state(
        "models",
        {
            "every model is there": len(page.cards) == len(studio.settings.catalogue.models),
            "the chosen one is explained": page.shown is not None
            and page.details.title.text() == page.shown.title,
        },
    )
    guide.click(page.details.use)
    guide.wait(lambda: window.room == "generate", "Use this model goes to Generate")
    guide.keys("Ctrl+,")
    settings = window.settings_page
    guide.state("settings", {"the keys lead there": window.room == "settings" and settings.isVisible()})
    before = theme.current().choice
    other = "light" if theme.current().name == "dark" else "dark"
    guide.click(settings.look.buttons[other])
    guide.state("the other theme", {"it is there at once": theme.current().name == other})
    guide.click(settings.look.buttons[before])
    guide.keys("Ctrl+1", "Ctrl+B", "Ctrl+Shift+B")
    room = window.generate_room
    guide.state("canvas alone", {"both sides are folded": not (room.controls_shown or room.history_shown)})
    guide.keys("Ctrl+B", "Ctrl+Shift+B")
    guide.wait(lambda: room.controls_shown and room.history_shown, "the panels come back")


def help_and_commands(guide: Guide) -> None:
    window, studio = guide.window, guide.studio
    guide.click(number(guide, "steps").entry)
    guide.keys("F1")
    card = window.term_card
    guide.state(
        "help",
        {"the term is explained": card is not None and card.isVisible() and "Steps" in card.accessibleName()},
    )
    guide.keys("Esc")
    window.generate_room.canvas.grid.setFocus()
    guide.keys("?")
    guide.state("all shortcuts", {"the sheet is open": window.sheet is not None and window.sheet.isVisible()})
    guide.keys("Esc")
    guide.keys("Ctrl+K")
    guide.state("commands", {"the list is open": window.palette_popup is not None})
    guide.type("solver heun")
    guide.state("a command found", {"words find it": window.palette_popup.list.count() >= 1})  # type: ignore[union-attr]
    guide.keys("Return")
    guide.wait(lambda: studio.settings.solver == "heun", "Enter runs the command")
