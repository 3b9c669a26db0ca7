"""Options of cross-attention."""

from ..part import Part
from ..scalars import Name


class Memory(Part):
    """Keys and values come from another stack.

    memory: the stack to attend to
    """

    memory: Name
