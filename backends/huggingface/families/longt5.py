"""LongT5 (Guo et al., 2021, arXiv:2112.07916): windows in the encoder."""

from __future__ import annotations

from dataclasses import replace

from ..defaults import keys
from ..family import Names
from ..values import Row, Values
from ._rows import changed
from .t5 import encoder_alone, input_scale, names, t5_like


def _local_names(values: Values) -> Names:
    return {
        ours: str(theirs).replace(".SelfAttention.", ".LocalSelfAttention.")
        if str(ours).startswith("encoder.")
        else theirs
        for ours, theirs in names(values).items()
    }


_LONG = t5_like(
    "longt5",
    "LongT5",
    reads=keys("local_radius"),
    input_scale=Row(input_scale, lambda value: {"scale_decoder_outputs": value != 1}),
    own_defaults={"classifier_dropout": 0.0},
    fixed={"encoder_attention_type": "local"},
    tasks=False,
)

LONGT5 = replace(
    _LONG,
    irrelevant=_LONG.irrelevant | {"global_block_size"},
    spec=changed(
        _LONG.spec, {"encoder": {"mask": lambda values: f"band({values['local_radius']})"}}
    ),
    names=_local_names,
    other=None,
)
LONGT5 = replace(LONGT5, other=encoder_alone(LONGT5, "LongT5", False))

FAMILIES = (LONGT5,)
