"""Every colour, size, font and duration of the interface: nothing of the kind is written anywhere else.

All lengths are device-independent pixels on a 4 px grid, durations are milliseconds. Colours are
`#rrggbb`; text in each of `TEXT_ON` reaches a contrast of 4.5:1 on its grounds in both themes
(tests/views/test_theme.py computes it).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CONTROL",
    "CONTROLS_WIDTH",
    "DARK",
    "FIRST_WINDOW",
    "FONT_BODY",
    "FONT_CAPTION",
    "FONT_FAMILY",
    "FONT_HERO",
    "FONT_TITLE",
    "GAP",
    "GAP_LARGE",
    "GAP_TINY",
    "HISTORY_WIDTH",
    "ICON",
    "ICON_LARGE",
    "LIGHT",
    "MOTION",
    "NOTICE_STAYS",
    "RADIUS",
    "RAIL_WIDTH",
    "SMALLEST_WINDOW",
    "TEXT_ON",
    "Colours",
    "contrast",
    "mix",
]


def mix(one: str, other: str, share: float) -> str:
    """The colour `share` of the way from `one` to `other`, all of them `#rrggbb`."""
    pairs = zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + bytes(round(a + (b - a) * share) for a, b in pairs).hex()


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2), from 1 to 21."""

    def luminance(colour: str) -> float:
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in (part / 255 for part in bytes.fromhex(colour[1:]))
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@dataclass(frozen=True)
class Colours:
    """One theme. The first ten are chosen, the others follow from them."""

    name: str
    ground: str  # behind everything, around the pictures
    panel: str  # docks, bars
    raised: str  # fields, cards, menus
    line: str  # hairlines
    text: str
    quiet: str  # second-rank text
    accent: str  # the one thing to do next, and what is selected
    on_accent: str  # text upon the accent
    good: str
    care: str
    bad: str

    @property
    def edge(self) -> str:
        """Borders of fields and buttons: stronger than a hairline, so that they are seen as fields."""
        return mix(self.line, self.quiet, 0.30)

    @property
    def hover(self) -> str:
        return mix(self.raised, self.text, 0.06)

    @property
    def pressed(self) -> str:
        return mix(self.raised, self.text, 0.12)

    @property
    def rail_hover(self) -> str:
        return mix(self.panel, self.text, 0.07)

    @property
    def selected(self) -> str:
        """Behind what is selected, where the accent itself would be too loud."""
        return mix(self.panel, self.accent, 0.16)

    @property
    def accent_hover(self) -> str:
        return mix(self.accent, self.text, 0.12)

    @property
    def accent_pressed(self) -> str:
        return mix(self.accent, self.text, 0.24)

    @property
    def disabled(self) -> str:
        """Text of what can't be used now (not bound to 4.5:1)."""
        return mix(self.panel, self.quiet, 0.55)

    @property
    def good_soft(self) -> str:
        return mix(self.panel, self.good, 0.10)

    @property
    def care_soft(self) -> str:
        return mix(self.panel, self.care, 0.10)

    @property
    def bad_soft(self) -> str:
        return mix(self.panel, self.bad, 0.10)

    @property
    def groove(self) -> str:
        """The track of a slider, a switch or a progress bar."""
        return mix(self.line, self.quiet, 0.12)


# `bad` in the dark and `good`, `care` in the light are a touch stronger than first sketched:
# as words on raised surfaces the sketched ones missed 4.5:1.
DARK = Colours(
    name="dark",
    ground="#111317",
    panel="#181b20",
    raised="#22262d",
    line="#2e343d",
    text="#e6e8eb",
    quiet="#9aa3ae",
    accent="#7c9cff",
    on_accent="#0c1022",
    good="#3fb68b",
    care="#e0a33a",
    bad="#f2716a",
)
LIGHT = Colours(
    name="light",
    ground="#f6f7f9",
    panel="#ffffff",
    raised="#ffffff",
    line="#d9dee5",
    text="#1b1f24",
    quiet="#5b6673",
    accent="#3d5bf5",
    on_accent="#ffffff",
    good="#177350",
    care="#8a5700",
    bad="#c9302c",
)

# Which text stands on which ground.
TEXT_ON: dict[str, tuple[str, ...]] = {
    "text": ("ground", "panel", "raised", "hover", "pressed", "selected", "rail_hover"),
    "quiet": ("ground", "panel", "raised", "hover"),
    "accent": ("ground", "panel", "raised"),
    "on_accent": ("accent", "accent_hover", "accent_pressed"),
    "good": ("ground", "panel", "raised", "good_soft"),
    "care": ("ground", "panel", "raised", "care_soft"),
    "bad": ("ground", "panel", "raised", "bad_soft"),
}

FONT_FAMILY = "Inter"
FONT_CAPTION = 11
FONT_BODY = 13
FONT_TITLE = 16
FONT_HERO = 22

GAP_TINY = 4
GAP = 8
GAP_LARGE = 16
CONTROL = 28
RADIUS = 6
ICON = 16
ICON_LARGE = 20

RAIL_WIDTH = 68
CONTROLS_WIDTH = 320
HISTORY_WIDTH = 220
SMALLEST_WINDOW = (1024, 640)
FIRST_WINDOW = (1280, 800)

MOTION = 120
NOTICE_STAYS = 8000
PLAY_STEP = 160  # ms a step is shown when the steps are played
PLAY_STEP_STILL = 800  # the same where no movement is wanted
