"""The values of keys that a config.json leaves out: one file, generated from the library."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import transformers
from library_defaults import everything, families, of_the_library, text_of

from modelwright.backends.huggingface import FAMILIES
from modelwright.backends.huggingface.defaults import COMMAND, PATH, keys, stored
from modelwright.backends.huggingface.irrelevant import HARMLESS_VALUES, IRRELEVANT
from modelwright.backends.huggingface.rotary import ROTARY_KEYS

SAME_LIBRARY = pytest.mark.skipif(
    transformers.__version__ != stored()["transformers"],
    reason=f"the file is of transformers {stored()['transformers']}",
)


@SAME_LIBRARY
def test_the_file_is_what_the_library_has() -> None:
    """If this fails, a family reads other keys than before: run the command that is named."""
    now = everything()
    for name, values in now["entries"].items():
        assert stored()["entries"].get(name) == values, f"{name} differs: run `{COMMAND}`"
    assert stored() == now, f"run `{COMMAND}`"


def test_the_file_is_written_by_the_command() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert text == text_of(json.loads(text))


@SAME_LIBRARY
def test_own_defaults_are_of_keys_that_the_library_lacks() -> None:
    """A value that the library has is in the file."""
    twice = {
        (family.entry, key)
        for family in families()
        for key in family.own_defaults.keys() & of_the_library(family).keys()
    }
    assert not twice


@SAME_LIBRARY
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.slow
def test_the_library_turns_on_no_key_that_is_unknown(name: str) -> None:
    """An unknown key that is false is accepted, which is right if the library lacks it too."""
    family = FAMILIES[name]
    known = IRRELEVANT | ROTARY_KEYS | HARMLESS_VALUES.keys() | family.irrelevant
    known |= family.defaults.keys() | family.optional.keys() | family.fixed.keys()
    known |= family.parts.keys() | family.other_names.keys()
    for head in family.heads.values():
        known |= head.defaults.keys() | head.fixed.keys()
    values = transformers.CONFIG_MAPPING[family.model_type]().to_dict()
    own = values[family.inside] if family.inside else values
    usual = transformers.PreTrainedConfig().to_dict()
    on = {key for key, v in own.items() if v and isinstance(v, (bool, str, list, dict))}
    assert not on - known - usual.keys()


def test_a_key_that_the_file_lacks_names_the_command() -> None:
    family = replace(FAMILIES["llama"], reads=keys("vocab_size", "number_of_moons"))
    with pytest.raises(RuntimeError, match=r"lacks \['number_of_moons'\] of llama: run `python -m"):
        _ = family.defaults


def test_values_have_the_types_of_the_fields() -> None:
    """A field that may hold a float refuses no float: 12 is written as 12.0."""
    assert FAMILIES["minicpm3"].defaults["scale_emb"] == 12
    assert isinstance(FAMILIES["minicpm3"].defaults["scale_emb"], float)
    assert isinstance(FAMILIES["llama"].defaults["vocab_size"], int)


def test_keys_are_read_from_texts_and_from_other_keys() -> None:
    assert keys("a b", ("c", "a"), "d", without=["b"]) == ("a", "c", "d")
