"""The end of `chainrule train`: how well each class is known, and misread images drawn in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets import Dataset
from ..ensemble import Ensemble
from ..model import Model
from .console import say
from .streamed import predicted

__all__ = ["by_class", "print_ending"]

SHADES = " ░▒▓█"  # from white to black
DRAWN = 8  # misread images at most
GAP = 3  # characters between two images
LINES = 16  # of text for an image at most: a larger one is drawn smaller
CLASSES = 20  # in the table at most, those known worst


def print_ending(console: Any, data: Dataset, model: Model | Ensemble) -> None:
    """Accuracy for each class, and some of the misread images."""
    if not data.class_names:
        return
    found, wanted = predicted(model, data.X_test), data.y_test
    for line in by_class(found, wanted, data.class_names, console.width, "Accuracy by class, held out"):
        say(console, line)
    wrong = np.flatnonzero(found != wanted)
    shape = data.image_shape
    if len(wrong) and shape is not None and isinstance(data.X_test, np.ndarray):
        among = ", among them" if len(wrong) > DRAWN else ""
        say(console, f"{len(wrong)} of {len(wanted)} held-out images were misread{among}:")
        titles = [f"{data.class_names[wanted[i]]} read as {data.class_names[found[i]]}" for i in wrong[:DRAWN]]
        for line in side_by_side(data.X_test[wrong[:DRAWN]].reshape(-1, *shape), titles, console.width):
            say(console, line)


def by_class(
    predicted: NDArray[Any], wanted: NDArray[Any], names: tuple[str, ...], width: int, title: str
) -> Iterator[str]:
    """A bar for each class, as long as its part of right answers; of many classes those known worst."""
    rows = []
    for k, name in enumerate(names):
        of_class = wanted == k
        if of_class.any():
            others = np.bincount(predicted[of_class & (predicted != k)], minlength=len(names))
            taken = f", most often taken for {names[int(np.argmax(others))]}" if others.any() else ""
            rows.append((float((predicted[of_class] == k).mean()), int(of_class.sum()), name, taken))
    few = len(rows) > CLASSES
    shown = sorted(rows, key=lambda row: row[0])[:CLASSES] if few else rows
    yield f"{title}{f' (the {CLASSES} lowest of {len(rows)})' if few else ''}:"
    longest = min(24, max(len(name) for *_, name, _ in shown))
    for share, count, name, taken in shown:
        label = name if len(name) <= longest else f"{name[: longest - 1]}…"
        bar = ("█" * round(20 * share)).ljust(20)
        line = f"  {label:<{longest}}  {bar} {share:7.2%} of {count}"
        yield line + (taken if len(line) + len(taken) <= width else "")


def side_by_side(images: NDArray[Any], titles: list[str], width: int) -> Iterator[str]:
    """Images (B, H, W) in shades of text, two characters for each pixel, as many in a row as fit."""
    step = -(-max(images.shape[1:]) // LINES)
    images = images[:, ::step, ::step]
    wide = max(2 * images.shape[2], *map(len, titles)) + GAP
    each = max(1, (width - 2 + GAP) // wide)
    largest = float(images.max()) or 1.0
    levels = np.clip((images / largest * len(SHADES)).astype(int), 0, len(SHADES) - 1)  # (B, H, W)
    for start in range(0, len(images), each):
        yield "  " + "".join(title.ljust(wide) for title in titles[start : start + each]).rstrip()
        for row in range(images.shape[1]):
            parts = (
                "".join(2 * SHADES[v] for v in levels[i, row]) for i in range(start, min(start + each, len(images)))
            )
            yield "  " + "".join(part.ljust(wide) for part in parts).rstrip()
