"""check: tables of small mistakes and odd files, and the words, the lines and the names that are said of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule import Dense, check
from chainrule.checking.files import load


class Normalize:
    """Layer normalization whose gradient has its three terms with factors that may be wrong."""

    def __init__(self, own: float = 1.0, mean: float = 1.0, variance: float = 1.0) -> None:
        self.own, self.mean, self.variance = own, mean, variance

    def forward(self, x):
        along = dict(axis=1, keepdims=True)
        self.s = 1 / np.sqrt(x.var(**along) + 1e-5)
        self.z = (x - x.mean(**along)) * self.s
        return self.z

    def backward(self, d):
        along = dict(axis=1, keepdims=True)
        through = self.mean * d.mean(**along) + self.variance * self.z * (d * self.z).mean(**along)
        return self.s * (self.own * d - through)


NORMALIZATIONS = {
    (2.0, 1.0, 1.0): "has the factor 2 and not 1",
    (1.0, 0.0, 1.0): "The mean is treated as a constant",
    (1.0, 2.0, 1.0): "through the mean is there twice",
    (1.0, 1.0, 0.0): "The variance is treated as a constant",
    (1.0, 1.0, -1.0): "what flows back through the variance is subtracted",
    (1.0, 1.0, 0.5): "through the variance is there half",
    (1.0, 1.0, 1.5): "through the variance is there 1.5 times",
    (1.0, 1.0, 3.0): "through the variance is 3 times too large: a sum stands where a mean belongs",
}


@pytest.mark.usefixtures("brief_search")
@pytest.mark.parametrize(("factors", "words"), NORMALIZATIONS.items())
def test_a_term_of_a_normalization_with_a_wrong_factor_is_told_with_it(
    factors: tuple[float, float, float], words: str
) -> None:
    report = check(Normalize(*factors), (5, 4), only=("gradients",))
    assert words in report.errors[0].diagnoses[0].says
    constant = 0.0 in factors
    assert report.mistakes == ("statistics_constant" if constant else "normalization_term",)


IMPORTS = {
    "*": ("from beside import *", "cube"),
    "* of a list": ("from listed import *", "cube"),
    "a name": ("from beside import cube", "cube"),
    "another name": ("from beside import cube as third", "third"),
    "a module": ("import beside", "beside.cube"),
    "a module by another name": ("import beside as b", "b.cube"),
}


@pytest.mark.parametrize(("line", "name"), IMPORTS.values(), ids=IMPORTS)
def test_what_a_file_imports_from_beside_it_is_there(line: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("_hidden = 1\ndef cube(x): return x ** 3\n")
    (tmp_path / "listed.py").write_text("__all__ = ['cube', 'lost']\ndef cube(x): return x ** 3\ndef other(): pass\n")
    (tmp_path / "mine.py").write_text(f"{line}\ndef third_power(x): return {name}(x)\n")
    names = load(tmp_path / "mine.py")
    assert names["third_power"](2) == 8 and not {"_hidden", "other", "lost"} & {*names}
    assert names.missing == ()


def test_what_functions_write_in_their_file_is_as_it_was_before(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "kept = None\ndef cube_forward(x):\n    global kept\n    kept = x\n    return x ** 3\n"
        "def cube_backward(d): return 3 * kept ** 2 * d\n"
    )
    names = load(tmp_path / "mine.py")
    assert check((names["cube_forward"], names["cube_backward"])).passed
    assert names["cube_forward"].__globals__["kept"] is None


class TooLarge(Dense):
    def pure_backward(self, xp, dvalues, inputs, weights):
        result = super().pure_backward(xp, dvalues, inputs, weights)
        result["dweights"][3] *= 2
        return result


@pytest.mark.parametrize("seed", range(4))
def test_a_row_of_a_large_array_of_few_rows_is_named(seed: int) -> None:
    report = check(TooLarge(9, 60), (4, 9), seed=seed, only=("gradients",))
    assert report.mistakes == ("one_row",) and {sample.index[0] for sample in report.errors[0].samples} == {3}


class Tripled:
    """3x, whose gradient is wrong in some places, and there unlike anything that is known."""

    def __init__(self, where: tuple[object, ...]) -> None:
        self.where = where

    def forward(self, x):
        self.x = x
        return 3 * x

    def backward(self, d):
        dx = 3 * d
        dx[self.where] = np.sinh(self.x * d)[self.where] + 1
        return dx


ALL = slice(None)
PLACES = {
    "first step": ((ALL, 0), "The first time step of axis 1 alone is wrong."),
    "last step": ((ALL, -1), "The last time step of axis 1 alone is wrong."),
    "first feature": ((ALL, ALL, 0), "The first index of axis 2 alone is wrong."),
    "later steps": ((ALL, slice(1, None)), "The first time step of axis 1 alone is right, and the rest is wrong"),
    "earlier steps": ((ALL, slice(None, -1)), "The last time step of axis 1 is right and all earlier ones are wrong"),
}


@pytest.mark.usefixtures("brief_search")
@pytest.mark.parametrize(("where", "words"), PLACES.values(), ids=PLACES)
def test_the_part_that_alone_is_wrong_or_right_is_told(where: tuple[object, ...], words: str) -> None:
    report = check(Tripled(where), (5, 4, 3), only=("gradients",))
    assert words in report.errors[0].diagnoses[0].says
