"""How well the library learns, on the sets it ships, Fashion-MNIST and the book's spiral; scikit-learn beside it.

    python benchmarks/accuracy.py [--seeds 10] [--fashion-mnist FOLDER]

Small sets: the mean test accuracy over the seeds, with the same sizes, optimizer, batch size and number of epochs as
scikit-learn's MLPClassifier on the same arrays (left out where scikit-learn is not installed); once with the library's
own start of the weights, He, and once with scikit-learn's, Glorot.
"""

from __future__ import annotations

import argparse
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import Adam, Dense, Glorot, He, InverseTimeDecay, Model, ReLU, SoftmaxCrossentropy, datasets
from chainrule.errors import ChainruleError

SMALL = {"digits": 40, "iris": 400, "wine": 400, "breast_cancer": 100}  # name: epochs
HIDDEN, BATCH, RATE = 128, 32, 1e-3
HE = He()


def ours(data: Any, epochs: int, seed: int, start: Any = HE) -> float:
    """The test accuracy of one run."""
    inputs, classes = data.X_train.shape[1], len(data.class_names)
    layers = [Dense(inputs, HIDDEN, initializer=start), ReLU(), Dense(HIDDEN, classes, initializer=start)]
    model = Model(layers, SoftmaxCrossentropy(), Adam(RATE), seed=seed)
    model.fit(data.X_train, data.y_train, epochs=epochs, batch_size=BATCH, verbose=False)
    return model.evaluate(data.X_test, data.y_test)["accuracy"]


def ours_from_glorot(data: Any, epochs: int, seed: int) -> float:
    """The test accuracy of one run that starts as scikit-learn does."""
    return ours(data, epochs, seed, Glorot("uniform"))


def theirs(data: Any, epochs: int, seed: int) -> float:
    """The same with scikit-learn."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        (HIDDEN,),
        alpha=0.0,
        batch_size=BATCH,
        learning_rate_init=RATE,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(data.X_train, data.y_train)
    return float(model.score(data.X_test, data.y_test))


def small_sets(seeds: int) -> None:
    """One line for each small set."""
    runs = [ours, ours_from_glorot, *([theirs] if find_spec("sklearn") is not None else [])]
    heads = ["chainrule (He)", "chainrule (Glorot)", "scikit-learn"][: len(runs)]
    print(f"Mean, least and most of the test accuracies of {seeds} seeds")
    print(f"{'set':>14} {'network':>12} " + " ".join(f"{head:>22}" for head in heads))
    for name, epochs in SMALL.items():
        data = datasets.load(name)
        scores = [[run(data, epochs, seed) for seed in range(seeds)] for run in runs]
        shown = [f"{np.mean(s):>8.2%} {min(s):.2%} {max(s):.2%}" for s in scores]
        sizes = f"{data.X_train.shape[1]}-{HIDDEN}-{len(data.class_names)}"
        print(f"{name:>14} {sizes:>12} " + " ".join(f"{text:>22}" for text in shown), flush=True)


def spiral() -> None:
    """The book's 2-64-3 network on its spiral, by train accuracy."""
    X, y = datasets.spiral(samples=100, classes=3)
    model = Model([Dense(2, 64), ReLU(), Dense(64, 3)], SoftmaxCrossentropy(), Adam(InverseTimeDecay(0.05, 5e-7)))
    begin = time.perf_counter()
    model.fit(X, y, epochs=5000, batch_size=300, record_every=5000, verbose=False)
    accuracy = model.evaluate(X, y)["accuracy"]
    print(f"spiral, 2-64-3, 5000 full batches: train accuracy {accuracy:.2%} ({time.perf_counter() - begin:.1f} s)")


def fashion(folder: Path | None) -> None:
    """784-128-128-10 on Fashion-MNIST."""
    try:
        data = datasets.fashion_mnist(folder)
    except ChainruleError as error:
        print(f"Fashion-MNIST left out: {error}")
        return
    layers = [Dense(784, 128), ReLU(), Dense(128, 128), ReLU(), Dense(128, 10)]
    model = Model(layers, SoftmaxCrossentropy(), Adam(InverseTimeDecay(1e-3, 1e-3)))
    begin = time.perf_counter()
    model.fit(data.X_train, data.y_train, epochs=10, batch_size=128, verbose=False)
    accuracy = model.evaluate(data.X_test, data.y_test)["accuracy"]
    print(f"Fashion-MNIST, 784-128-128-10, 10 epochs: test {accuracy:.2%} ({time.perf_counter() - begin:.1f} s)")


def main() -> None:
    """Parse the arguments and print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--fashion-mnist", type=Path)
    arguments = parser.parse_args()
    small_sets(arguments.seeds)
    spiral()
    fashion(arguments.fashion_mnist)


if __name__ == "__main__":
    main()
