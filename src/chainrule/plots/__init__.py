"""Plots of networks and their training, drawn with matplotlib: pip install "chainrule[plots]".

A function that draws one panel returns its `Axes`, one that draws several returns the `Figure`. Pass `ax` to draw into
an existing figure. Otherwise a new figure is made without pyplot: nothing global changes, no window opens, and it works
in threads and without a display. It is shown at the end of a notebook cell; elsewhere save it with
`ax.figure.savefig("picture.png")`. The colours are those of Okabe and Ito (2008), which colour-blind readers can tell
apart too. B = samples, I = inputs, N = neurons, C = classes.
"""

from .decisions import plot_confusion_matrix, plot_decision_boundary
from .numbers import plot_histograms, plot_jacobian, plot_loss_along
from .progress import plot_gradient_norms, plot_history, plot_learning_rates

__all__ = [
    "plot_confusion_matrix",
    "plot_decision_boundary",
    "plot_gradient_norms",
    "plot_histograms",
    "plot_history",
    "plot_jacobian",
    "plot_learning_rates",
    "plot_loss_along",
]
