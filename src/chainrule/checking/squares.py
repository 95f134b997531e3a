"""A backward pass that fails on its shapes is run once more where all sizes are equal: then its product has a value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .bench import Bench, Broken
from .diagnose import diagnose
from .measure import measure
from .report import Finding
from .subjects import Point, fresh_targets

__all__ = ["in_squares"]

_SIZE = 3


def in_squares(bench: Bench, finding: Finding) -> Finding:
    """The finding of a backward pass that raised, with what its product is, where that can be found out."""
    rng = bench.rng
    values = {
        name: rng.uniform(0.2, 1.5, _squared(array)) * rng.choice([-1.0, 1.0], _squared(array))
        for name, array in {**bench.subject.inputs, **bench.subject.parameters}.items()
    }
    point = Point(values, None, bench.subject.modes[0], f"{_SIZE} samples")
    inputs = {name: values[name] for name in bench.subject.inputs}
    subject = replace(bench.subject, inputs=inputs, parameters={n: v for n, v in values.items() if n not in inputs})
    square = Bench(subject, bench.tolerance, bench.seed, bench.at_kinks)
    square.noise = np.finfo(np.float64).eps
    try:
        point = replace(point, targets=fresh_targets(subject, rng, point)[0])
        setting = square.setting(point)
        found = []
        for name in setting.values:
            if np.shape(setting.gradients.get(name)) == setting.values[name].shape:
                diagnoses = diagnose([measure(setting, name, bench.tolerance, rng)])
                found += [(bench.label(name), diagnosis) for diagnosis in diagnoses[:1]]
    except (Broken, ValueError, IndexError, TypeError, AttributeError):
        return finding
    if not found:
        return finding
    array, diagnosis = found[0]
    evidence = f"with all sizes {_SIZE} it runs, and {array} has exactly the numbers of that"
    return replace(finding, array=array, diagnoses=(replace(diagnosis, evidence=evidence), *finding.diagnoses))


def _squared(array: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(_SIZE if size > 1 else 1 for size in array.shape)
