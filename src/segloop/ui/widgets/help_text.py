"""What the help window says: what to do in a dock, its keys, and the words on screen."""

from __future__ import annotations

from html import escape

from segloop.ui.shortcuts import commands_of

STEPS = {
    "Curation": (
        "Open a dataset at the top, or make one: from folders of images and segmentations, from open "
        "layers, or from the sample nuclei.",
        "Look at each sample. Accept it if training should learn from its labels, else reject it. The "
        "next undecided sample appears by itself.",
        "If only a part is wrong, draw an exclude region around it: training ignores what is inside. If "
        "another segmentation is better in a part, draw a merge region there.",
        "To change the labels themselves, press Correct: paint with napari's tools, or delete, join and cut "
        "objects with the buttons.",
        "Everything is saved as you do it, and can be undone. When enough samples are accepted, open "
        "Training.",
    ),
    "Training": (
        "Choose a dataset with accepted samples.",
        "Choose what to learn: separate objects, or foreground and classes. To adapt a model to your "
        "images, start from it instead of from scratch.",
        "Set how long training may take and press Start training. It runs in a separate process: "
        "you can keep working, or close napari.",
        "Watch the curves. The model with the best validation score is kept. Press Predict with it to try "
        "it.",
    ),
    "Prediction": (
        "Choose a model, then tick the image layers to apply it to, or choose files or a folder.",
        "Check that channels and pixel size fit. A warning offers a button that solves it.",
        "Press Predict. The result is shown on top of its image.",
        "Move the thresholds until the objects look right. Then save the result, or press Correct in "
        "Curation.",
    ),
}
"""The steps of the usual way through each dock."""

WORDS = (
    (
        "AP",
        "Average precision: of all objects that are true or were found, the share that match. An object "
        "matches if it overlaps a true one well enough: AP50 asks that their overlap is at least half of "
        "their union. 1 is perfect, 0 means that nothing matches.",
    ),
    (
        "Dice",
        "How well the foreground agrees pixel by pixel: twice the overlap divided by the sum of both "
        "areas. 1 is perfect, 0 means no overlap. It does not tell whether touching objects are "
        "separated.",
    ),
    (
        "Loss",
        "What training makes smaller: how far the network's output is from the labels. Training loss that "
        "falls while validation loss rises means that the network memorises the training images: "
        "stop, or add images.",
    ),
    (
        "Validation",
        "Accepted samples that the network never learns from. Their scores tell how good the model is on "
        "new images.",
    ),
)
"""The words on screen that a newcomer may not know, each with its meaning."""


def help_html(dock: str) -> str:
    """Return the help of a dock as HTML."""
    steps = "".join(f"<li>{escape(step)}</li>" for step in STEPS[dock])
    parts = [f"<h3>What to do here</h3><ol>{steps}</ol>"]
    commands = commands_of(dock)
    if commands:
        rows = "".join(
            f"<tr><td><b>{escape(command.key)}</b>&nbsp;&nbsp;</td><td>{escape(command.title)}</td></tr>"
            for command in commands
        )
        parts.append(f"<h3>Keys</h3><p>They work while this dock is in view.</p><table>{rows}</table>")
    words = "".join(f"<p><b>{escape(word)}</b>: {escape(meaning)}</p>" for word, meaning in WORDS)
    parts.append(f"<h3>Words</h3>{words}")
    return "".join(parts)
