"""How large what the page works on may become; the page states it."""

__all__ = ["EPOCHS", "LAYERS", "NEURONS", "PARAMETERS", "TABLE"]

PARAMETERS = 2_000_000  # of a network
LAYERS, NEURONS = 6, 1024  # hidden layers, and neurons of each
EPOCHS = 100_000  # of a run
TABLE = 8 * 2**20  # bytes of a table
