"""Gradients of parameters that come one for each sample, for the caller to add up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .names import LIKE_WEIGHTS, role_of
from .plans import leaf
from .reading import Reading
from .running import added_up
from .slopes import Slopes

__all__ = ["come_for_each_sample"]


def come_for_each_sample(reading: Reading, gradients: Mapping[str, Any], slope: Slopes) -> bool:
    """Whether all of several parameters get a gradient for each sample, and the sum of one of them is right."""
    values = reading.point.values
    held = {group[0] for group in reading.plan.parameters}
    own = [k for k in reading.plan.sources if k in held or role_of(leaf(k)) in LIKE_WEIGHTS]
    if len(own) < 2 or reading.plan.kind != "layer" or any(k not in gradients for k in own):
        return False
    sums = {k: added_up(gradients[k], values[k].shape) for k in own}
    if any(np.shape(sums[k]) == np.shape(gradients[k]) for k in own):  # one of them is added up
        return False
    samples = {np.shape(gradients[k])[:1] for k in own}
    return len(samples) == 1 and samples != {(1,)} and any(slope.fits(k, sums[k]) for k in own)
