"""Data parallel training: every rank computes its fixed parts of each batch, and all make the same update.

A batch is cut into pieces that do not depend on the number of ranks (`pieces`). A rank carries its own pieces through
the network (`passes`), and what they give is added in the order of a fixed tree (`sums`): one rank and many have the
same bits. `session` is the engine made of them.
"""

from ..ranks import ALONE, Team, quiet, working
from .session import PiecesSession

__all__ = ["ALONE", "PiecesSession", "Team", "quiet", "working"]
