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
    "guidance_model": Term(
        "Guided by",
        "Which model says what the picture would be without its class: itself, or a second one.",
        "Guidance compares two answers of the network, with the class and without. A model trained with an "
        "empty class gives both. One that was not needs a partner that learnt the same pictures without "
        "classes; each brings its own GENIE head.",
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
    "upsample": Term(
        "Upsample",
        "Make a picture larger: a second model paints in the detail the small one has no room for.",
        "An upsampler is a diffusion model of its own. It starts from noise of the large size and is shown the "
        "small picture at every step, so what comes out is that picture, with detail it has learnt.\n\n"
        "It is a guess at what a larger picture would have shown, not what was there.",
    ),
    "consistent": Term(
        "Match the small picture",
        "Corrects the large picture so that, made small again, it is the small one.",
        "An upsampler copies the colours of the small picture and invents the detail, and it errs a little in "
        "both. This puts the colours right and leaves the detail. Off, the picture is as the upsampler "
        "painted it, which hides flaws of the small one better.",
    ),
    "aug_level": Term(
        "Added noise",
        "How much noise is added to the small picture first. More lets the upsampler invent more.",
        "The upsampler learnt from small pictures with some noise in them and is told how much. A little "
        "covers up flaws of the small picture that would otherwise be copied faithfully; a lot leaves only "
        "its rough shapes. Each upsampler begins with the amount that suits it.",
    ),
    "aug_seed": Term(
        "Seed of the added noise",
        "The number the noise added to the small picture is made from. Empty: that of the picture.",
        "The same seeds and settings give the same large picture. Another seed here changes which of the "
        "small picture's pixels are blurred by the noise, and so what is invented in their place.",
    ),
    "evaluations": Term(
        "Evaluations",
        "How often the network will be asked for one picture: what the waiting time depends on.",
        "With guidance each look counts twice, since the network is asked with and without the class. The "
        "GENIE paper counts such a pair once; both figures are shown.",
    ),
    "edit_strength": Term(
        "Strength",
        "How far it goes: at 0 nothing changes, at 100 % hardly anything stays.",
        "The picture is walked up towards noise only so far, and back another way. Near the picture only "
        "details are still open; the higher it goes, the more of its shape is decided anew.\n\n"
        "The strip below the pictures shows the same edit at several strengths. While you drag, drafts of "
        "five steps answer; when you let go, the quality chosen below follows.",
    ),
    "edit_pull": Term(
        "Pull",
        "How hard the way down is drawn to the class. At 1 the class changes safely, at 0 often only halfway.",
        "This is guidance, for the way down alone: the way up to the noise is never guided, so that it leads "
        "back. More of it makes the new class plainer and keeps less of the picture.\n\n"
        "It costs an evaluation more a step, since the network is asked with the class and without.",
    ),
    "edit_exact": Term(
        "Fast or exact",
        "Fast walks up once; exact inverts every step until the very bytes come back.",
        "A walk of few steps does not come back quite the way it went up: what it misses is the difference "
        "shown. Exact solves, for each step of the way down, for the point it must have started from, so "
        "that decoding gives the same picture, every byte. That takes a few evaluations a step.",
    ),
    "edit_feather": Term(
        "Feather",
        "Over how many pixels the edge of the mask is softened: the picture shows it.",
        "Inside the mask the picture is new, outside every byte stays, and along the edge the two are mixed "
        "at every step. A soft edge lets them grow together.",
    ),
    "edit_direction": Term(
        "Direction",
        "What there is more of, or less, along the slider below.",
        "Encode many pictures of two kinds without telling the network which they are: the mean of the one "
        "kind's latents minus that of the other is a direction. Any picture's latent can be moved along it, "
        "and decoded again.",
    ),
    "shelf": Term(
        "Shelf",
        "Latents you want to keep. Drag them to the pad, the timeline, or anywhere a latent is wanted.",
        "A latent is the noise a picture begins with. Everything about the picture that is not its class is in "
        "it, so the same latent gives the same picture again, and what lies between two latents looks like "
        "something between their pictures.\n\n"
        "A latent is kept as where it comes from: a seed, a file, or a mixture of others. Copied as text it can "
        "be sent to somebody with the same model.",
    ),
    "pad": Term(
        "Pad",
        "Drag anywhere: the picture is the mixture of the pinned latents, by how near they are.",
        "While you drag, five steps with GENIE have to do and only the newest place counts; when you let go, "
        "the picture is made in full. Mixed latents are scaled so that their noise stays as strong as noise "
        "should be. Classes and guidance are mixed alike.\n\n"
        "Four pins at the corners mix evenly. Any other number counts by the square of the distance.",
    ),
    "timeline": Term(
        "Timeline",
        "Keyframes along time: the walk goes from latent to latent.",
        "Between two keyframes the latent moves on a great circle, which keeps it as far from the middle as "
        "noise is; the class and the guidance change along. The line below the keyframes shows which frames "
        "are made: quiet is a draft, bright is full quality.",
    ),
    "easing": Term(
        "Easing",
        "How the speed changes on the way to the next keyframe.",
        "Time runs to the right, the way upwards: a steep curve is fast, a flat one slow. Own curve has two "
        "handles, as in programs for animation.",
    ),
    "pace": Term(
        "Constant pace",
        "Spread the frames so that the picture changes equally from each to the next.",
        "The same step of a latent can change much in one place and little in another. The walk is measured "
        "with drafts, and the frames are spread anew. The whole lasts as long as before.",
    ),
    "hold": Term(
        "Hold",
        "How long the walk stands still here.",
        "A picture that is held is made once and shown for so long.",
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
