"""Training: the steps, the history, callbacks, checkpoints, the model file, and one call of `fit`."""
