"""How results look: colours, HTML pages, pictures of networks. What they say is written by those who call this.

`palette` holds every colour; `markup` builds elements, escaped; `page` is the skeleton with the style sheet; `layout`
says where the layers of a network lie, and `svg` draws them; `terminal` names the same styles for a console.
"""

from .markup import Html, joined, tag
from .page import article, folded, fragment, page, scrolled, table

__all__ = ["Html", "article", "folded", "fragment", "joined", "page", "scrolled", "table", "tag"]
