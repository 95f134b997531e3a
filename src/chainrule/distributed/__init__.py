"""Data parallel training over MPI: every rank computes its fixed parts of each batch, and all make the same update.

A batch is cut into pieces that do not depend on the number of ranks (`pieces`). A rank carries its own pieces through
the network (`passes`), and what they give is added in the order of a fixed tree (`sums`): one rank and many have the
same bits. `session` is the engine made of them. `team` is the ranks as the rest of the library sees them, `watch` their
heartbeats: when one of them dies, the others end and say so. mpi4py is imported when a run asks for it.
"""

from .session import PiecesSession
from .team import ALONE, Team, quiet, working

__all__ = ["ALONE", "PiecesSession", "Team", "quiet", "working"]
