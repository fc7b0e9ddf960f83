"""The buttons and keys of the canvas, each with the method of `CanvasPanel` it runs."""

from __future__ import annotations

from PySide6.QtCore import Qt

__all__ = ["KEYS", "TOOLS"]

# (method, icon, title, tooltip, checkable); None is a gap
TOOLS: tuple[tuple[str, str, str, str, bool] | None, ...] = (
    ("fit", "fit", "Fit", "Show all of it, as large as whole pixels allow (0)", False),
    ("actual_pixels", "actual", "Actual pixels", "One screen pixel for one pixel of the picture (1)", False),
    None,
    ("show_grid", "grid", "Grid", "All pictures of the batch (G)", True),
    ("show_single", "single", "Single picture", "The selected picture by itself (Enter)", True),
    (
        "toggle_compare",
        "compare",
        "Compare",
        "Compare the selected picture with the batch before, or with the one put aside (C)",
        True,
    ),
    ("toggle_difference", "difference", "Difference", "The same, as the difference of the two (D)", True),
    ("stale", "", "", "", False),
    ("upsample", "enlarge", "Upsample", "Make the selected picture, or all of them, larger (U)", False),
    ("export_steps", "film", "Export the steps", "Save the steps as an animation: GIF, APNG or WebP", False),
    ("save", "save", "Save", "Save pictures with the settings that made them (S)", False),
    ("toggle_details", "info", "Details", "Everything about the selected picture (I)", True),
)

KEYS = {
    Qt.Key.Key_0: "fit",
    Qt.Key.Key_1: "actual_pixels",
    Qt.Key.Key_G: "show_grid",
    Qt.Key.Key_C: "toggle_compare",
    Qt.Key.Key_D: "toggle_difference",
    Qt.Key.Key_I: "toggle_details",
    Qt.Key.Key_S: "save",
    Qt.Key.Key_U: "upsample",
    Qt.Key.Key_P: "play_steps",
    Qt.Key.Key_Space: "toggle_preview",
    Qt.Key.Key_Period: "toggle_star",
    Qt.Key.Key_Delete: "delete_selected",
}
