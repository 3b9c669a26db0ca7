"""Specs that say the same in other words: the files are equal but for the header, which names the
spec by its hash.
"""

from __future__ import annotations

import pytest

import modelwright as mw

SPEC = """
name: small
family: decoder-only
vocab_size: 31
max_positions: 24
d_model: 16
layers: 2
attention: {heads: 4}
head: language_model
"""
BIASES = "[query, key, value, output]"
EQUAL = {
    "a single block": (["blocks={a: {}}", "pattern=[a]"], []),
    "equal blocks": (["blocks={a: {}, b: {}}", "pattern=[a, b]"], []),
    "a mask denied twice": (["mask=~~causal"], []),
    "a mask said twice": (["mask=causal & causal"], ["mask=causal"]),
    "a mask in another order": (["mask=prefix | causal"], ["mask=causal | prefix"]),
    "a window that is causal": (["mask=window(3)"], ["mask=causal & window(3)"]),
    "a mask in other brackets": (
        ["mask=(causal & window(3)) | (documents & causal)"],
        ["mask=causal & (documents | window(3))"],
    ),
    "equal masks of heads": (["mask=[causal, causal]"], ["mask=causal"]),
    "all biases by name": ([f"attention.bias={BIASES}"], ["attention.bias=true"]),
    "no bias by name": (["attention.bias=[]"], ["attention.bias=false"]),
    "biases of the feed-forward": (
        ["feed_forward={bias: [up, down]}"],
        ["feed_forward={bias: true}"],
    ),
    "the order of positions": (["positions=[learned, rotary]"], ["positions=[rotary, learned]"]),
}


@pytest.mark.parametrize("name", EQUAL)
def test_the_code_is_equal(name: str) -> None:
    one, other = (mw.emit(mw.loads(SPEC, sets=sets)) for sets in EQUAL[name])
    assert below_the_header(one) == below_the_header(other)


def below_the_header(text: str) -> str:
    """The code of a file, without its docstring and the hash at its end."""
    return text.split('"""', 2)[2].rpartition("# sha256 of the above")[0]
