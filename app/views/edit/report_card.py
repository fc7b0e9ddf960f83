"""The report beside the pictures: first in words, then in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.models.edit.facts import fidelity_words, rows_of
from app.models.edit.tree import EditNode
from app.views import icons, theme, tokens
from app.views.help import describe
from app.views.words import breakable, counted, seconds

__all__ = ["ReportCard"]


class _Verdict(QWidget):
    """A sign and a sentence."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._sign = QLabel()
        self._sign.setFixedSize(tokens.ICON, tokens.ICON + 2)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setAccessibleName(name)
        self._look = ("check", "good")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(tokens.GAP)
        row.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.words, 1)
        theme.current().changed.connect(self._paint_sign)

    def say(self, words: str, *, good: bool) -> None:
        self.words.setText(words)
        self._look = ("check", "good") if good else ("warning", "care")
        self._paint_sign()

    def _paint_sign(self) -> None:
        name, role = self._look
        self._sign.setPixmap(icons.pixmap(name, role, tokens.ICON, self.devicePixelRatioF()))


class ReportCard(QWidget):
    """Of an encode: does it come back, does its latent look like noise. Of an edit: what it changed."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("panel", "plain")
        self.title = QLabel()
        self.title.setProperty("role", "strong")
        self.title.setWordWrap(True)
        self.title.setTextFormat(Qt.TextFormat.PlainText)  # a name may come from anywhere
        self.comes_back = _Verdict("How it comes back")
        self.noise = _Verdict("What its latent looks like")
        self.how = QLabel()
        self.how.setProperty("role", "caption")
        self.how.setWordWrap(True)
        self.how.setTextFormat(Qt.TextFormat.PlainText)
        self.fold = QPushButton("Figures")
        self.fold.setCheckable(True)
        self.fold.setProperty("kind", "fold")
        icons.bind(self.fold, "chevron-right", "quiet")
        describe(self.fold, "Figures", "Show the figures behind these words.")
        self.table = QWidget()
        self.table.setProperty("panel", "plain")
        self._grid = QGridLayout(self.table)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(tokens.GAP)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)
        self.table.hide()
        self.fold.toggled.connect(self._unfold)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, tokens.GAP, 12, tokens.GAP)
        column.setSpacing(tokens.GAP)
        for widget in (self.title, self.comes_back, self.noise, self.how, self.fold, self.table):
            column.addWidget(widget)
        column.addStretch(1)

    def show_node(self, node: EditNode | None, label: str, solver: str) -> None:
        self.setVisible(node is not None)
        if node is None:
            return
        facts = node.facts
        self.title.setText(breakable(node.name))
        self.title.setAccessibleName(node.name)
        encoded = "comes_back" in facts
        self.comes_back.setVisible(encoded)
        self.noise.setVisible(encoded)
        self.fold.setVisible(encoded)
        self.table.setVisible(encoded and self.fold.isChecked())
        if encoded:
            psnr = facts.get("psnr")
            self.comes_back.say(str(facts["comes_back"]), good=psnr is None or psnr >= 32)
            self.noise.say(str(facts.get("noise", "")), good=bool(facts.get("looks_like_noise")))
            self._fill(facts)
        self.how.setText(_how(node, label, solver))

    def _fill(self, facts: Mapping[str, Any]) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for number, (name, figure, tip) in enumerate((*rows_of(facts), *_inverted(facts))):
            left, right = QLabel(name), QLabel(figure)
            left.setProperty("role", "quiet")
            right.setProperty("role", "figures")
            right.setFont(theme.current().font(figures=True))
            right.setWordWrap(True)
            right.setAlignment(Qt.AlignmentFlag.AlignRight)
            right.setAccessibleName(f"{name}: {figure}")
            for part in (left, right):
                part.setToolTip(tip)
            self._grid.addWidget(left, number, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(right, number, 1)

    def _unfold(self, open_: bool) -> None:
        icons.bind(self.fold, "chevron-down" if open_ else "chevron-right", "quiet")
        self.table.setVisible(open_)


def _inverted(facts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The steps of an exact encode."""
    steps = facts.get("inverted")
    if not isinstance(steps, list) or not steps:
        return []
    evaluations = sum(step[2] for step in steps)
    worst = max(step[1] for step in steps)
    split = sum(step[3] > 1 for step in steps)
    rows = [
        (
            "Inverted steps",
            f"{len(steps)}, {evaluations / len(steps):.1f} each",
            "Steps that were inverted to the bit, and how often the network was asked for each.",
        ),
        ("Residual", f"{worst:.3g}", "The largest error any step left, in levels of 255."),
    ]
    if split:
        rows.append(("Split steps", str(split), "Steps that did not converge whole and were taken in parts."))
    tip = "The error left, in levels of 255, and how often the network was asked; from noise to picture."
    rows.append(("Step by step", "residual, evaluations", tip))
    for number, (gamma, residual, spent, parts, solved) in enumerate(steps, 1):
        how = f"{residual:.2g}, {spent:.0f}"
        how += f", split in {parts:.0f}" if parts > 1 else ""
        how += "" if solved else ", not solved"
        rows.append((f"Step {number}", how, f"From noise level {gamma:.3g} down. {tip}"))
    return rows


def _how(node: EditNode, label: str, solver: str) -> str:
    facts = node.facts
    parts = []
    if label:
        parts.append(f"as {label}")
    if facts.get("steps"):
        parts.append(f"{solver} {facts['steps']}")
    if node.kind == "picture" and "exact" in facts:
        parts.append("exact" if facts["exact"] else "fast")
    steps = facts.get("inverted")
    if isinstance(steps, list) and (missed := sum(not step[4] for step in steps)):
        parts.append(f"{counted(missed, 'step')} did not converge: the closest latent there is")
    if isinstance(facts.get("seconds"), (int, float)):
        parts.append(seconds(float(facts["seconds"])))
    if node.kind != "picture":
        parts.insert(0, f"{fidelity_words(facts)} to the picture before")
    parts += [str(note) for note in facts.get("notes", ())]
    return " · ".join(parts)
