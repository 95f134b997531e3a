"""The ranks of a run, as the rest of the library sees them: how they meet, what they tell one another, who has died.

`team` is what all ranks say and hear, `meeting` how mpirun or srun brings them together, `watch` their heartbeats: when
one of them dies, the others end and say so. mpi4py is imported when a run asks for it.
"""

from .team import ALONE, Team, quiet, share_of, working

__all__ = ["ALONE", "Team", "quiet", "share_of", "working"]
