"""The doctor's table: what can be wrong with a run, how it shows, and the line that mends it.

A symptom is a function from what is `Examined` to a `Remedy`, or to None where it does not show. To add one, write the
function and add a row to `SYMPTOMS`. Nothing here has seen a part that was held out to test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ..columns import DEAD, EPOCH, GRADIENT_NORM, LEARNING_RATE
from .datasymptoms import CLASSES, constant_columns, leakage, unscaled_inputs, unscaled_targets
from .examined import Examined, Remedy
from .sampled import LEAST_EPOCHS, Sampled

__all__ = ["SYMPTOMS", "UNEVEN", "WITHOUT_DATA", "Symptom"]

_VANISHING, _UNLEARNED = 1e-6, 1e-4  # of the largest gradient; the second where nothing was learned
UNEVEN = 3.0  # classes are uneven where the most frequent one has so many times the samples of the rarest
_BURST = 5.0  # times the loss of a constant answer: a first epoch like that threw the weights far away
_FEW_HELD = 20  # samples held out, of which fewer say too little


# What the layers show


def dead_units(case: Examined) -> Iterator[Remedy]:
    """Layers of which half of the units and more give 0 for every sample."""
    for column, share in case.last:
        if column.quantity == DEAD and share >= 0.5:
            python, shell = ("LeakyReLU", "--activation leaky_relu")
            if not math.isnan(case.rate):
                python, shell = f"{python}, or {case.rated(0.1)[0]}", f"{shell}, or {case.rated(0.1)[1]}"
            yield Remedy(
                f"{column.node}: {share:.0%} of its units are dead, 0 for every sample of the last epoch: no gradient "
                "reaches their weights.".replace("%", " %", 1),
                f"Lower the learning rate, or use {python}.",
                f"Lower the learning rate, or use {shell}.",
            )


def vanishing(case: Examined) -> Remedy | None:
    """Gradients that do not reach the first layers."""
    norms = {column.node: norm for column, norm in case.last if column.quantity == GRADIENT_NORM}
    if norms and min(norms.values()) >= _UNLEARNED * max(norms.values()):
        return None
    trainable = {name.rpartition(".")[0] for name in case.network.trainable_names()}
    trained = [node for node in norms if node in trainable]
    if len(trained) < 2:
        return None
    first, largest = min(trained[: len(trained) // 2], key=norms.__getitem__), max(trained, key=norms.__getitem__)
    unlearned = case.data is not None and case.data.skill < 0.05
    if not norms[largest] > 0 or norms[first] >= (_UNLEARNED if unlearned else _VANISHING) * norms[largest]:
        return None
    if not norms[first] and any(column.quantity == DEAD and share == 1 for column, share in case.last):
        return None  # the dead units say it
    return Remedy(
        f"{first}: its gradient is {norms[first] / norms[largest]:.0e} of that of {largest}, it vanishes on the way "
        "down.",
        "Use He() weights, a normalization layer, or skip connections with Add.",
        "Use fewer --layers, or --activation relu.",
    )


# What the curve shows


def rate_zero(case: Examined) -> Remedy | None:
    """A learning rate of 0 in every epoch."""
    # the first step of a warm-up has the rate 0
    if len(case.history) < 2 or len(rates := case.history.curve(LEARNING_RATE)) < 2 or rates.any():
        return None
    python = f"{case.optimizer}()" if case.optimizer else "another optimizer"
    return Remedy(
        "Nothing was learned: the learning rate is 0, which changes no weight.",
        f"Give a rate above 0, or leave it to the optimizer: {python}.",
        "Give a rate above 0, or leave --lr out.",
    )


def rate_too_high(case: Examined) -> Remedy | None:
    """A loss that jumps, or ends above that of a constant answer."""
    data = case.data
    if data is None or len(case.losses) < LEAST_EPOCHS:
        return None
    curve = case.losses
    half = curve[len(curve) // 2 :]
    rises = np.maximum(np.diff(half), 0)
    jumps = rises.mean() / half.mean() if half.mean() > 0 else 0.0
    uneasy = jumps > 0.06 or curve[-1] > 1.5 * curve.min()
    rising = (np.diff(curve) > 0).mean() > 0.2
    if not (uneasy or rising) or data.learned:
        return None
    if rising and data.loss > 1.1 * data.baseline:
        shows = f"ends at {data.loss:.3g}, above the {data.baseline:.3g} of a constant answer"
    elif uneasy:
        shows = f"jumps up and down ({half.min():.3g} to {half.max():.3g} in the second half of the run)"
    elif curve[0] > _BURST * data.baseline and data.skill < 0.2:
        shows = f"was {curve[0]:.3g} in the first epoch, where a constant answer has {data.baseline:.3g}"
    else:
        return None
    python, shell = case.rated(0.1)
    return Remedy(f"The learning rate is too high: the loss {shows}.", f"Lower it: {python}.", f"Lower it: {shell}.")


def rate_too_low(case: Examined) -> Remedy | None:
    """A loss that still falls in a straight line when the run ends, far from the bottom."""
    data = case.data
    if data is None or len(case.losses) < LEAST_EPOCHS:
        return None
    curve = case.losses
    fall, late = curve[0] - curve[-1], curve[-1 - len(curve) // 4] - curve[-1]
    straight = fall > 0 and (np.diff(curve) < 0).mean() >= 0.8 and late >= 0.12 * fall
    if not straight or data.learned:
        return None
    far = data.loss > data.baseline or (0.1 * curve[0] < fall < 0.5 * curve[0] and data.skill < 0.4)
    if not far:
        return None
    python, shell = case.rated(10)
    return Remedy(
        f"The learning rate is too low: the loss has fallen from {curve[0]:.4g} to {curve[-1]:.4g} only, and was still "
        "falling at the end.",
        f"Raise it: {python}, or train for more epochs.",
        f"Raise it: {shell}, or give more --epochs.",
    )


def overfitting(case: Examined) -> Remedy | None:
    """A validation loss that has risen while the training loss fell on."""
    if not case.validates or "val_loss" not in case.history.names:
        return None
    if case.history.stopped is not None and "has not improved" in case.history.stopped:  # the best were brought back
        return None
    held, epochs = case.history["val_loss"], case.history[EPOCH]
    if len(held) != len(epochs) or len(held) < LEAST_EPOCHS:
        return None
    best = int(np.argmin(held))
    if not held[-1] > 1.2 * held[best] + 0.02 or case.losses[-1] >= case.losses[best]:
        return None
    first = epochs[best] - epochs[0] + 1
    return Remedy(
        f"Overfitting: val_loss was lowest at epoch {epochs[best]} ({held[best]:.4g}) and has risen to "
        f"{held[-1]:.4g} since, while the training loss fell on.",
        f"Write epochs={first}, or callbacks=[EarlyStopping(patience=5)]; Dropout(0.2) and more data help too.",
        f"Try --epochs {first}, --early-stopping 5, or --dropout 0.2.",
    )


# What the answers show


def one_class(case: Examined) -> Remedy | None:
    """One class that is predicted for all."""
    data = case.data
    if data is None or data.labels is None or np.count_nonzero(data.counts) < 2:
        return None
    given = int(data.decided.flat[0])  # `np.unique` would import `numpy.ma`, longer than many a fit takes
    if np.any(data.decided != given) or np.all(data.labels[data.rows] == given):
        return None
    share = data.counts[given] / data.counts.sum()
    known = f"{case.named(given)} is predicted for all samples, and {share:.1%} are of that class."
    if share * np.count_nonzero(data.counts) >= 1.5 and data.plan.sample_weights is None:
        return Remedy(known, 'Write class_weights="balanced".', "Write --class-weights balanced.")
    python, shell = case.rated(0.1)
    return Remedy(known, f"Lower the learning rate: {python}.", f"Lower the learning rate: {shell}.")


def guessing(case: Examined) -> Remedy | None:
    """A loss that stays where a constant answer's is: log C for C even classes."""
    data = case.data
    if data is None or not abs(data.skill) < 0.03:
        return None
    even = len(data.counts) > 1 and data.counts.min() > 0.9 * data.counts.max()
    what = f"log {len(data.counts)}, that of guessing" if even else "that of always giving the same answer"
    return Remedy(
        f"Nothing was learned: the loss stays at {data.loss:.3g}, {what}. Either X says nothing about y, or their rows "
        "do not belong together, or the network is too small for what they have in common.",
        "Look at print(X[:5], y[:5]): was one of the two sorted or shuffled alone? If not, try a larger hidden layer.",
        "Look at the first rows of the table: does each target belong to its row? If so, try --layers 128,128.",
    )


def shuffled(case: Examined) -> Remedy | None:
    """Training samples learned by heart, with nothing gained on validation samples: the labels may be shuffled."""
    data = case.data
    if data is None or not case.validates or "val_loss" not in case.history.names or not data.skill > 0.03:
        return None
    held = np.array(case.history["val_loss"])
    if data.skill <= 0.1 and held[-1] <= data.held_baseline:  # little was learned, and it may hold
        return None
    if data.plan.validation is not None and len(data.plan.validation) < _FEW_HELD:
        return None
    if len(held) < LEAST_EPOCHS or not held.min() > _least_gain(case, data) * data.held_baseline:
        return None
    if _beats_chance(case, data):
        return None
    return Remedy(
        f"Learned by heart: the training loss is {data.loss:.3g}, but val_loss never fell below {held.min():.3g}, "
        f"where guessing gives {data.held_baseline:.3g}. The labels look shuffled, or say nothing that X tells.",
        "Check that X and y are in the same order: shuffle both by one order, X[order], y[order].",
        "Check that the column of the target is in the same order as the others.",
    )


def uneven_classes(case: Examined) -> Remedy | None:
    """Classes of very different sizes, of which the rare ones are not recognized."""
    data = case.data
    if data is None or not 2 <= np.count_nonzero(data.counts) <= CLASSES or data.plan.sample_weights is not None:
        return None
    present = np.flatnonzero(data.counts)
    majority = int(np.argmax(data.counts))
    if data.counts[majority] < UNEVEN * data.counts[present].min() or data.recalls[present].min() >= 0.5:
        return None
    rarest = sorted({*present.tolist()} - {majority}, key=lambda k: float(data.recalls[k]))[:3]
    recalls = ", ".join(f"{case.named(k)} {data.recalls[k]:.0%}" for k in (majority, *rarest))
    return Remedy(
        f"The classes are uneven: always guessing {case.named(majority)} is right in "
        f"{data.counts[majority] / data.counts.sum():.1%}. Of each class is recognized: {recalls}; balanced accuracy "
        f"{np.nanmean(data.recalls):.1%}.",
        'Write class_weights="balanced".',
        "Write --class-weights balanced.",
    )


class Symptom(NamedTuple):
    """A row of the table: how it is found, and the symptoms that need no word where it is, because it causes them."""

    find: Callable[[Examined], Remedy | Iterator[Remedy] | None]
    causes: tuple[Callable[..., object], ...] = ()

    def findings(self, case: Examined) -> list[Remedy]:
        """What it has to say of the case."""
        found = self.find(case)
        return [] if found is None else [found] if isinstance(found, Remedy) else list(found)


SYMPTOMS = (
    Symptom(leakage),
    Symptom(constant_columns),
    Symptom(rate_zero, (vanishing, dead_units, rate_too_high, rate_too_low, one_class, guessing, uneven_classes)),
    Symptom(
        unscaled_inputs, (dead_units, vanishing, rate_too_high, rate_too_low, one_class, guessing, unscaled_targets)
    ),
    Symptom(unscaled_targets, (dead_units, rate_too_high, rate_too_low, guessing, overfitting)),
    Symptom(shuffled, (dead_units, overfitting, uneven_classes, rate_too_high, rate_too_low)),
    Symptom(dead_units, (rate_too_high, rate_too_low, one_class, guessing, uneven_classes)),
    Symptom(rate_too_high, (vanishing, one_class, guessing, overfitting, uneven_classes)),
    Symptom(vanishing, (rate_too_low, one_class, guessing, uneven_classes)),
    Symptom(rate_too_low, (one_class, guessing, uneven_classes)),
    Symptom(one_class, (guessing, uneven_classes)),
    Symptom(guessing, (uneven_classes,)),
    Symptom(overfitting),
    Symptom(uneven_classes),
)
# Those that the history alone shows: of a short run its data are not looked at
WITHOUT_DATA = tuple(s for s in SYMPTOMS if s.find in (rate_zero, dead_units, vanishing, overfitting))


def _least_gain(case: Examined, data: Sampled) -> float:
    """What part of the constant answer's loss must be left for nothing to be gained: few samples held out tell less."""
    held = data.plan.validation
    if held is None or case.history["val_loss"][-1] < data.held_baseline:
        return 0.97
    return min(0.97, 1 - 0.5 / math.sqrt(len(held)))


def _beats_chance(case: Examined, data: Sampled) -> bool:
    """Whether the classes of the validation part are told better than by always guessing the most frequent one."""
    if not len(data.counts) or "val_accuracy" not in case.history.names or data.plan.validation is None:
        return False
    right = case.history["val_accuracy"]
    share, samples = data.counts.max() / data.counts.sum(), len(data.plan.validation)
    late = sum(right[-(len(right) // 4) :]) / (len(right) // 4)
    return bool(late > share + 2 * math.sqrt(share * (1 - share) / samples))
