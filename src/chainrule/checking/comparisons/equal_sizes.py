"""A backward pass that fails on its shapes runs again with all sizes equal, so that its product has a value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..findings import Finding
from ..measuring.bench import Bench, Broken
from ..measuring.comparison import Comparison
from ..measuring.measure import measure
from ..mistakes.diagnose import diagnose
from ..subjects import Point, fresh_targets

__all__ = ["with_equal_sizes"]

_SIZE = 3


def with_equal_sizes(bench: Bench, finding: Finding) -> list[tuple[Finding, Comparison | None]]:
    """The finding of a backward pass that raised, explained if its product is known, and all other wrong gradients."""
    rng = bench.rng
    values = {
        name: rng.uniform(0.2, 1.5, _equal_shape(array)) * rng.choice([-1.0, 1.0], _equal_shape(array))
        for name, array in {**bench.subject.inputs, **bench.subject.parameters}.items()
    }
    point = Point(values, None, bench.subject.modes[0], f"{_SIZE} samples", fixed=bench.subject.fixed, sizes=(_SIZE,))
    inputs = {name: values[name] for name in bench.subject.inputs}
    subject = replace(bench.subject, inputs=inputs, parameters={n: v for n, v in values.items() if n not in inputs})
    bench_of_equals = Bench(subject, bench.tolerance, bench.seed, bench.at_kinks)
    bench_of_equals.noise = np.finfo(np.float64).eps
    try:
        point = replace(point, targets=fresh_targets(subject, rng, point)[0])
        setting = bench_of_equals.setting(point)
        measured = [
            measure(setting, name, bench.tolerance, rng)
            for name in setting.values
            if name in setting.gradients and np.shape(setting.gradients[name]) == setting.values[name].shape
        ]
    except (Broken, ValueError, IndexError, TypeError, AttributeError):
        return [(finding, None)]
    found = [(m, diagnose([m])) for m in measured if m.wrong.any()]
    of_shape = [(m, d) for m, d in found if d and d[0].mistake in ("missing_transpose", "wrong_product")]
    others = [(finding, m) for m, _ in found if not of_shape or m is not of_shape[0][0]]
    if not of_shape:
        return [(finding, None), *others]
    blamed, diagnoses = of_shape[0]
    array = bench.label(blamed.name)
    evidence = f"with all sizes {_SIZE} it runs, and {array} has exactly the numbers of that"
    explained = replace(finding, array=array, diagnoses=(replace(diagnoses[0], evidence=evidence), *finding.diagnoses))
    return [(explained, None), *others]


def _equal_shape(array: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(_SIZE if size > 1 else 1 for size in array.shape)
