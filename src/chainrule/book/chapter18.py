"""The book's names as chapter 18 uses them: its Model knows no batches, and prints a line for each epoch."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from chainrule import book
from chainrule.book import *  # noqa: F403

__all__ = book.__all__


class Model(book.Model):  # type: ignore[no-redef]
    """`Model` whose `train` takes all samples in each epoch, and prints every `print_every`-th epoch.

    >>> from chainrule.book.chapter18 import *
    >>> init()
    >>> X, y = spiral_data(samples=100, classes=3)
    >>> model = Model()
    >>> for layer in (Layer_Dense(2, 64), Activation_ReLU(), Layer_Dense(64, 3), Activation_Softmax()):
    ...     model.add(layer)
    >>> model.set(loss=Loss_CategoricalCrossentropy(), optimizer=Optimizer_Adam(learning_rate=0.05, decay=5e-7),
    ...           accuracy=Accuracy_Categorical())
    >>> model.finalize()
    >>> model.train(X, y, epochs=2, print_every=2)
    epoch: 2, acc: 0.330, loss: 1.096 (data_loss: 1.096, reg_loss: 0.000), lr: 0.0499999750000125
    """

    def train(  # type: ignore[override]
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        *,
        epochs: int = 1,
        print_every: int = 1,
        validation_data: tuple[NDArray[Any], NDArray[Any]] | None = None,
    ) -> None:
        """Train, and print accuracy and loss on the validation data at the end."""
        self.accuracy.init(y)
        for epoch in range(1, epochs + 1):
            accuracy, losses = self._step(X, y)
            if not epoch % print_every:
                self._report(f"epoch: {epoch}", accuracy, *losses)
        if validation_data is not None:
            self.evaluate(*validation_data)
