"""Score biases computed from data; those from positions are in `positions`."""

from typing import Annotated, Literal

from ..part import Part, Tagged, declare
from ..scalars import Argument, Count, Name


class TableBias(Part):
    """A learned number per head, looked up by an integer for each pair.

    argument: name of the argument of `forward`, (B, T, S)
    entries: number of entries of the table
    """

    type: Literal["table"] = "table"
    argument: Argument
    entries: Count


class PathBias(Part):
    """The mean of learned numbers along a path between two nodes (Graphormer).

    argument: name of the argument of `forward`
    entries: number of entries of the table
    max_distance: length of the longest path
    """

    type: Literal["path"] = "path"
    argument: Argument
    entries: Count
    max_distance: Count


class StreamBias(Part):
    """A linear projection of a stream of pairs.

    stream: name of the stream
    """

    type: Literal["linear"] = "linear"
    stream: Name


ScoreBias = Annotated[TableBias | PathBias | StreamBias, Tagged("score_bias")]
declare(ScoreBias)
