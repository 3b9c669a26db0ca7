"""Score biases computed from data; those from positions are in `positions`."""

from typing import Annotated, Literal

from ..norm import Norm
from ..part import OneOf, Part, Tagged, declare
from ..scalars import Argument, Count, Flag, Name


class TableBias(Part):
    """A learned number per head for each pair of tokens, looked up by an integer: Graphormer's
    spatial encoding (Ying et al., 2021, arXiv:2106.05234, eq. 6).

    argument: name of the argument of `forward`, (B, T, T): the integer of each query and key, where
        T counts the `prefix_tokens` of ids, vectors and signals too: pairs with a learned token
        have the integers that the caller gives them. Of an image or a video it covers the
        patches only; pairs with other tokens have a separate entry
    entries: number of entries of the table
    share: one table for the whole `stack`, or one per `layer`
    """

    type: Literal["table"] = "table"
    argument: Argument
    entries: Count
    share: OneOf[Literal["stack", "layer"]] = "stack"


class PathBias(Part):
    """The mean over the edges of the path from query to key of the dot product of the edge's vector
    with a learned vector per head and position on the path: Graphormer's edge encoding (Ying et
    al., 2021, arXiv:2106.05234, eq. 7).

    argument: name of the argument of `forward`, (B, T, T, max_distance): the kind of each edge of
        the path, counted from 1, and 0 after its end; without edges the bias is 0. T is
        that of `table`: of an image or a video it covers the patches only, and pairs with other
        tokens have no path
    entries: number of kinds of edges; the table of their vectors has one more row, for 0
    max_distance: number of edges of the longest path
    width: width of the vector of an edge; default: `heads`
    share: as for `table`
    """

    type: Literal["path"] = "path"
    argument: Argument
    entries: Count
    max_distance: Count
    width: Count | None = None
    share: OneOf[Literal["stack", "layer"]] = "stack"


class StreamBias(Part):
    """A linear layer, without bias, from each pair (q, k) of a stream of pairs to a number per head
    (AlphaFold 2; Jumper et al., 2021, supplementary information, algorithms 7, 13 and 14).

    stream: name of the stream. Both its axes are the axis along which the attention works. If it is
        the attention's own stream, the layer reads the same vectors as queries and keys; otherwise
        the current vectors of the other stream, after a norm
    norm: this norm, if it is another stream
    transpose: read the pair (k, q) for the score of query q and key k, as AlphaFold 2's triangle
        attention around the ending node does (algorithm 14)
    """

    type: Literal["linear"] = "linear"
    stream: Name
    norm: Norm | None = None
    transpose: Flag = False


ScoreBias = Annotated[TableBias | PathBias | StreamBias, Tagged("score_bias")]
declare(ScoreBias)
