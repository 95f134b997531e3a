"""The real data sets inside the package, each with its source and licence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import UnknownNameError
from .dataset import Dataset, Description, from_arrays, from_table
from .preprocessing import Preprocessing
from .tables import Table, read_table

__all__ = ["SHIPPED", "load"]

SHIPPED: Mapping[str, Description] = {
    "digits": Description(
        title="Optical recognition of handwritten digits, 8×8 grey pixels from 0 to 1",
        samples=1797,
        features=64,
        class_names=tuple("0123456789"),
        source="E. Alpaydin and C. Kaynak (1998), UCI Machine Learning Repository, doi:10.24432/C50P49 (its test part)",
        licence="CC BY 4.0",
    ),
    "iris": Description(
        title="Species of iris by the size of their sepals and petals",
        samples=150,
        features=4,
        class_names=("setosa", "versicolor", "virginica"),
        source="R. A. Fisher (1936), UCI Machine Learning Repository, doi:10.24432/C56C76 (two values as in the paper)",
        licence="CC BY 4.0",
    ),
    "wine": Description(
        title="Three cultivars of one Italian region by the chemistry of their wines",
        samples=178,
        features=13,
        class_names=("cultivar 1", "cultivar 2", "cultivar 3"),
        source="S. Aeberhard and M. Forina (1992), UCI Machine Learning Repository, doi:10.24432/C5PC7J",
        licence="CC BY 4.0",
    ),
    "breast_cancer": Description(
        title="Breast Cancer Wisconsin (Diagnostic): tumours by the shape of their cell nuclei",
        samples=569,
        features=30,
        class_names=("benign", "malignant"),
        source="W. Wolberg, O. Mangasarian, N. Street and W. Street (1993), UCI Machine Learning Repository, "
        "doi:10.24432/C5DW2B",
        licence="CC BY 4.0",
    ),
    "penguins": Description(
        title="Palmer penguins: species by size, sex and island; 19 missing values filled in",
        samples=344,
        features=9,
        class_names=("Adelie", "Chinstrap", "Gentoo"),
        source="K. B. Gorman, T. D. Williams and W. R. Fraser (2014), doi:10.1371/journal.pone.0090081; "
        "A. Horst, A. Hill and K. Gorman, palmerpenguins (without the year of the study)",
        licence="CC0 1.0",
    ),
    "diabetes": Description(
        title="Progression of diabetes in one year by age, sex, body mass, blood pressure and serum",
        samples=442,
        features=10,
        class_names=(),
        source="B. Efron, T. Hastie, I. Johnstone and R. Tibshirani (2004), Least Angle Regression, Annals of "
        "Statistics 32(2); the copy of scikit-learn",
        licence="none stated by its authors, who published it; scikit-learn passes it on under BSD-3-Clause",
    ),
}


def load(name: str) -> Dataset:
    """A shipped data set by name, split once and for all: a fifth is held out, stratified by class or by value.

    Tables are standardized by their training part, a target of values too; `preprocessing.decode_target` leads back.

    Raises `UnknownNameError` for a name that is not in `SHIPPED`.

    >>> digits = load("digits")
    >>> digits.X_train.shape, digits.X_test.shape, digits.y_test[:5]
    ((1437, 64), (360, 64), array([1, 4, 8, 6, 5]))
    >>> load("penguins")
    Dataset('penguins': 275 samples to train on, 69 held out, 9 features, 3 classes of 'species')
    """
    if name not in SHIPPED:
        raise UnknownNameError("data set", name, SHIPPED)
    from importlib import resources

    known = SHIPPED[name]
    words = {"title": known.title, "source": known.source, "licence": known.licence}
    data = resources.files(__package__).joinpath("data")
    if name != "digits":
        with resources.as_file(data.joinpath(f"{name}.csv.gz")) as path:
            stored = read_table(path)
        mask = stored["held_out"] == 1
        table = Table({column: stored[column] for column in stored.names if column != "held_out"}, name)
        task = "classes" if known.class_names else "values"
        rows = np.flatnonzero(~mask)
        fitted = Preprocessing.fit(table, table.names[-1], rows=rows, task=task, missing="impute")
        return from_table(name, table, fitted, mask, **words)
    with data.joinpath("digits.npz").open("rb") as file, np.load(file) as arrays:
        X = arrays["X"].astype(np.float32) / np.float32(16)
        y = arrays["y"].astype(np.int64)
        mask = np.zeros(len(y), dtype=bool)
        mask[arrays["test"]] = True
    pixels = tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8))
    return from_arrays(name, X, y, mask, pixels, known.class_names, **words)
