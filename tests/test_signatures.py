"""check: what the source of code says, of classes in notebooks too."""

from __future__ import annotations

import linecache
from typing import Any

from chainrule import check
from chainrule.checking.subjects.signatures import source_of

CELL = """
import numpy as np
class LogisticRegression:
    def __init__(self, lr=0.1, n_iters=100):
        self.lr, self.n_iters = lr, n_iters
    def fit(self, X, y):
        self.w, self.b = np.zeros(X.shape[1]), 0.0
        for _ in range(self.n_iters):
            p = self.predict_proba(X)
            self.w -= self.lr * X.T @ (p - y) / len(X)
            self.b -= self.lr * np.sum(p - y)
    def predict_proba(self, X):
        return 1 / (1 + np.exp(-(X @ self.w + self.b)))
"""


def test_a_class_of_a_cell_is_read_by_its_methods() -> None:
    names: dict[str, Any] = {"__name__": "a notebook, which has no file"}
    linecache.cache["<cell 1>"] = (len(CELL), None, CELL.splitlines(keepends=True), "<cell 1>")
    exec(compile(CELL, "<cell 1>", "exec"), names)
    kind = names["LogisticRegression"]
    assert "self.n_iters" in source_of(kind)
    assert [finding.array for finding in check(kind).errors] == ["db"]
