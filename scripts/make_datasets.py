"""Make the data files inside the package (needs scikit-learn and the wheel `palmerpenguins`; run by hand).

    pip download --no-deps palmerpenguins && python scripts/make_datasets.py palmerpenguins-*.whl

The digits are small integers in an NPZ file; every other set is a compressed CSV file whose last column, `held_out`,
says with 1 which rows to test on: one fifth, stratified by class or by fifths of the target, drawn once with seed 0.
Where a wheel is not given, the penguins stay as they are. Equal input gives equal bytes.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.model_selection import train_test_split

FOLDER = Path(__file__).parent.parent / "src/chainrule/datasets/data"

MEASURED = [
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
]
NAMES = {
    "iris": ["sepal_length_cm", "sepal_width_cm", "petal_length_cm", "petal_width_cm", "species"],
    "wine": [
        *[
            "alcohol",
            "malic_acid",
            "ash",
            "alcalinity_of_ash",
            "magnesium",
            "total_phenols",
            "flavanoids",
            "nonflavanoid_phenols",
        ],
        *["proanthocyanins", "color_intensity", "hue", "od280_od315", "proline", "cultivar"],
    ],
    "breast_cancer": [f"{name}_{statistic}" for statistic in ("mean", "se", "worst") for name in MEASURED]
    + ["diagnosis"],
    "diabetes": ["age", "sex", "bmi", "blood_pressure", "tc", "ldl", "hdl", "tch", "ltg", "glu", "progression"],
}


def held_out(strata: np.ndarray) -> np.ndarray:
    """The sorted indices of the held-out part."""
    _, test = train_test_split(np.arange(len(strata)), test_size=0.2, stratify=strata, random_state=0)
    return np.sort(test).astype(np.uint16)


def write_csv(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]], strata: np.ndarray) -> None:
    """Write NAME.csv.gz with the column `held_out`; the time of writing is left out of the file."""
    marks = np.zeros(len(strata), dtype=int)
    marks[held_out(strata)] = 1
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*header, "held_out"])
    writer.writerows([*row, mark] for row, mark in zip(rows, marks, strict=True))
    (FOLDER / f"{name}.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))


def write_from_sklearn() -> None:
    """The five sets that scikit-learn carries."""
    digits = load_digits()
    X, y = digits.data.astype(np.uint8), digits.target.astype(np.uint8)
    np.savez_compressed(FOLDER / "digits.npz", X=X, y=y, test=held_out(y))
    for name, read in (("iris", load_iris), ("wine", load_wine), ("breast_cancer", load_breast_cancer)):
        data = read()
        labels = ["cultivar 1", "cultivar 2", "cultivar 3"] if name == "wine" else data.target_names
        rows = [[*map(number, x), labels[c]] for x, c in zip(data.data, data.target, strict=True)]
        write_csv(name, NAMES[name], rows, data.target)
    data = load_diabetes(scaled=False)
    fifths = np.digitize(data.target, np.quantile(data.target, [0.2, 0.4, 0.6, 0.8]))
    rows = [[*map(number, x), number(value)] for x, value in zip(data.data, data.target, strict=True)]
    write_csv("diabetes", NAMES["diabetes"], rows, fifths)


def number(value: float) -> str:
    """The shortest text that reads back as the same float64."""
    return repr(float(value)).removesuffix(".0")


def write_penguins(wheel: str) -> None:
    """The simplified table of the wheel, without the year of the study, the species last."""
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("palmerpenguins/data/penguins.csv").decode()
    header, *rows = csv.reader(io.StringIO(text))
    order = [header.index(name) for name in header if name not in ("species", "year")] + [header.index("species")]
    _, strata = np.unique([row[header.index("species")] for row in rows], return_inverse=True)
    write_csv("penguins", [header[i] for i in order], [[row[i] for i in order] for row in rows], strata)


if __name__ == "__main__":
    write_from_sklearn()
    for argument in sys.argv[1:]:
        write_penguins(argument)
