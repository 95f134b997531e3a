"""The layers: each a pair of pure functions. What a module here names in its `__all__` is public, here and above."""

from . import activations, dense, dropout, joins, normalization, reshaping, softmax
from .activations import *
from .dense import *
from .dropout import *
from .joins import *
from .normalization import *
from .reshaping import *
from .softmax import *

__all__: list[str] = []
__all__ += activations.__all__
__all__ += dense.__all__
__all__ += dropout.__all__
__all__ += joins.__all__
__all__ += normalization.__all__
__all__ += reshaping.__all__
__all__ += softmax.__all__
