"""The language model of a model that also reads images or audio; only this part is imported."""

from __future__ import annotations

from dataclasses import replace

from ..defaults import Keys, keys
from ..family import Family, Head
from ..values import Key
from ._rows import LANGUAGE_MODEL, changed

INSIDE = ("language_model.model.", "language_model.lm_head")

BESIDE = ("model.language_model.", "lm_head")


def text_of(
    family: Family,
    model_type: str,
    name: str,
    *,
    reads: Keys = (),
    there: tuple[str, str] = INSIDE,
    others: str = "audio_tower|multi_modal_projector",
    read: str = "sounds",
) -> Family:
    """The language model of a model whose config describes it under `text_config`.

    reads: additional keys of `text_config`
    there: prefix of its tensor names, and name of the output projection
    others: names of the parts that are not imported (a regular expression)
    read: what the whole model reads besides text
    """
    prefix, output = there
    root = prefix.partition("language_model.")[0].replace(".", r"\.")
    head = Head(
        spec=LANGUAGE_MODEL,
        names={"head": output},
        untied={f"{output}.weight": "embed_tokens.weight"},
        partial=True,
    )
    assert isinstance(family.unused, tuple)
    return replace(
        family,
        model_type=model_type,
        fixed={**family.fixed, "model_type": family.model_type},
        reads=keys(family.reads, reads),
        inside="text_config",
        prefix=prefix,
        unused=(*family.unused, rf"{root}({others})\..*"),
        heads={
            f"{name}ForConditionalGeneration": head,
            f"{name}Model": Head(
                prefix="" if there == INSIDE else "language_model.",
                unused=(rf"({others})\..*",),
                partial=True,
            ),
        },
        note=f"Text only: {read} are not supported",
    )


FEWER_WORDS = changed(LANGUAGE_MODEL, {"head": {"vocab_size": Key("vocab_size")}})
"""A head with fewer outputs than the token embedding has entries."""
