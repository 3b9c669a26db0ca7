"""Options of cross-attention."""

from ..part import Part
from ..scalars import Name


class Memory(Part):
    """Keys and values come from another stack.

    memory: the stack to attend to. If it has a single sequence, all sequences of this stack read
        it; otherwise the numbers of sequences must be equal
    """

    memory: Name
