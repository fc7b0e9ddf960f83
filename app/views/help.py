"""Every term explained: one plain sentence for the tooltip, a paragraph for F1.

`describe` gives a control its name, its tooltip and its place in this glossary in one go.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

__all__ = ["TERMS", "Term", "describe", "term_of"]

_PROPERTY = "help_term"


@dataclass(frozen=True)
class Term:
    """`short` is the tooltip; `long` is shown under F1, its paragraphs parted by empty lines."""

    title: str
    short: str
    long: str


TERMS: dict[str, Term] = {
    "model": Term(
        "Model",
        "The network that draws. Each was trained on one kind of picture and can only draw that kind.",
        "A diffusion model has learnt to tell noise from picture. Started on pure noise and asked again and "
        "again, it turns the noise into a picture of the kind it was trained on.\n\n"
        "The card says how large its pictures are, which classes it knows, whether it can be guided and "
        "whether it carries a GENIE head, the small extra network that lets it take longer steps.",
    ),
    "pick": Term(
        "Class",
        "What the picture should show. Choose one or several; they take turns over the pictures.",
        "The model was told during training what each picture shows, so it can be asked for it now.\n\n"
        "Every class in turn goes round the whole list, random draws a class for each picture from its "
        "seed, and no class leaves the choice to the model where it was trained to do without.",
    ),
    "guidance": Term(
        "Guidance",
        "How hard the picture is pushed towards its class. 0 is as trained, 1 to 3 is clearer but less varied.",
        "With guidance w the network is asked twice: with the class and without. The difference of the two "
        "answers is what the class changes, and w times that is added: eps = (1+w) eps_class - w eps_none.\n\n"
        "It costs twice the evaluations. Large values make pictures typical, alike and at last garish.",
    ),
    "preset": Term(
        "Quality",
        "How much care is taken: 5 steps for a quick look, 10 for a good picture, 25 for the best.",
        "A preset sets the solver, the steps and everything under Advanced to what was measured to suit the "
        "model. Change any of them afterwards: what differs from the preset is marked with a dot, and a "
        "double-click on its name puts it back.",
    ),
    "steps": Term(
        "Steps",
        "How many times the network looks at the picture. 10 is good, 5 is quick.",
        "The picture follows a curved path from noise to image, walked in this many strides. More strides "
        "follow the curve more closely and take longer. Beyond 50 hardly anything changes.\n\n"
        "Some solvers ask the network twice in a step: the line above Generate counts what it will cost.",
    ),
    "solver": Term(
        "Solver",
        "The rule by which each step is taken. GENIE is made for few steps.",
        "All solvers walk the same path, the probability flow of the model, and would agree if the steps "
        "were small enough. They differ in how far off they are when the steps are large.\n\n"
        "DDIM goes straight. GENIE also knows how the path bends, from a small network distilled for it. "
        "The others guess the bend from the steps before, or by looking ahead.",
    ),
    "seed": Term(
        "Seed",
        "The number the noise is made from. The same seed and settings give the same picture; "
        "empty or -1 takes a new one each time.",
        "Picture number i of a batch has the seed given plus i, and depends on nothing else: alone or in "
        "company it comes out the same.\n\n"
        "The dice goes back to a new seed each time. The arrow takes over the seed of the picture shown, "
        "so that you can change another setting and compare.",
    ),
    "count": Term(
        "Count",
        "How many pictures to make at once.",
        "They go through the network together as far as memory allows. Should it not suffice, the batch is "
        "made smaller and the result says so.",
    ),
    "spacing": Term(
        "Spacing",
        "Where along the path the steps are put: evenly, or closer together towards the end.",
        "linear spreads the steps evenly over time; quadratic puts more of them near the picture; log-snr "
        "spreads them evenly over the ratio of picture to noise; rho is the spacing of EDM. A model's card "
        "names the one it was measured to like best.",
    ),
    "analytic_first": Term(
        "Analytic first step",
        "Take the first step without asking the network: at the start everything is noise anyway.",
        "At the very beginning the picture is pure noise, so the network's answer is known in advance. "
        "Using it saves one evaluation, which matters when there are only five.",
    ),
    "denoise": Term(
        "Final denoising step",
        "Ask the network once more at the end and keep the clean picture it sees. One evaluation more.",
        "The walk ends a hair before the picture, at the end time. This last look removes what noise is "
        "left. It often helps the measured quality and is hard to see.",
    ),
    "t_end": Term(
        "End time",
        "How close to the finished picture the walk stops. 0.001 suits nearly always.",
        "Time runs from 1, noise, to 0, picture. The equation can't be walked to 0 itself. With few steps a "
        "somewhat larger end time can be better, above all with the final denoising step.",
    ),
    "device": Term(
        "Device",
        "What computes: the processor, or a graphics card when there is one. Auto takes the fastest.",
        "Auto takes a CUDA graphics card, else Apple's, else the processor. Pictures made on different "
        "devices differ by rounding only.",
    ),
    "precision": Term(
        "Precision",
        "How finely the network computes. Auto takes what is fastest here and still exact enough.",
        "fp32 is exact, bf16 and fp16 are quicker on hardware made for them. Only the network is affected: "
        "the path itself is always walked in double precision.",
    ),
    "generate": Term(
        "Generate",
        "Make pictures with these settings. While something runs, it waits in the queue.",
        "The settings are frozen the moment you press it: what you change afterwards is for the next "
        "pictures. Ctrl+Shift+Enter puts the job before all others that wait.",
    ),
    "forever": Term(
        "Generate for ever",
        "Start again with a new seed each time, until you stop it.",
        "Whatever the settings are when a batch ends is what the next one is made with, so you can turn "
        "the knobs while it goes on.",
    ),
    "stop": Term(
        "Stop",
        "Stop what runs now. Finished pictures are kept.",
        "The engine looks up after every evaluation of the network, so it stops within one of them.",
    ),
    "evaluations": Term(
        "Evaluations",
        "How often the network will be asked for one picture: what the waiting time depends on.",
        "With guidance each look counts twice, since the network is asked with and without the class. The "
        "GENIE paper counts such a pair once; both figures are shown.",
    ),
}


def describe(widget: QWidget, name: str, tip: str = "", *, term: str = "") -> None:
    """Name a control for screen readers and give it a tooltip: `tip`, or that of the term."""
    text = tip or TERMS[term].short
    widget.setAccessibleName(name)
    widget.setAccessibleDescription(text)
    widget.setToolTip(f"<qt>{html.escape(text)}</qt>")
    if term:
        widget.setProperty(_PROPERTY, term)


def term_of(widget: QObject | None) -> str | None:
    """The glossary entry of a control, or of what it lies in."""
    while widget is not None:
        if term := widget.property(_PROPERTY):
            return str(term)
        widget = widget.parent()
    return None
