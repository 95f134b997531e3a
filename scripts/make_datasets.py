"""Make the data files inside the package from the copies that scikit-learn ships (needs scikit-learn; run by hand).

Each file holds X and y as small integers or float32 and the indices of the held-out part: one fifth, stratified by
class, drawn once with seed 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

FOLDER = Path(__file__).parent.parent / "src/chainrule/datasets/data"


def held_out(y: np.ndarray) -> np.ndarray:
    """The sorted indices of the held-out part."""
    _, test = train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=0)
    return np.sort(test).astype(np.uint16)


def main() -> None:
    """Write every file."""
    digits = load_digits()
    X, y = digits.data.astype(np.uint8), digits.target.astype(np.uint8)
    np.savez_compressed(FOLDER / "digits.npz", X=X, y=y, test=held_out(y))


if __name__ == "__main__":
    main()
