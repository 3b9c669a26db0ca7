"""`modelwright tokenizer`: ids of special tokens, round trips, and errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from pydoc_data import topics

import pytest
from click.testing import CliRunner, Result
from tokenizers import Tokenizer

import modelwright as mw
from modelwright.cli import cli
from modelwright.training.encoding import encoder, read_tokenizer
from modelwright.training.specials import wanted_specials

SPEC = """name: x
family: {family}
vocab_size: {size}
max_positions: 64
d_model: 32
layers: 1
attention: {{heads: 2}}
head: language_model
tokens: {{{tokens}}}
"""


def type_in(*words: str | Path) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "topics.txt"
    path.write_text("\n".join(list(topics.topics.values())[:12]), encoding="utf-8")
    return path


def write_spec(folder: Path, tokens: str, *, size: int = 400, family: str = "decoder-only") -> Path:
    path = folder / "x.yaml"
    path.write_text(SPEC.format(family=family, size=size, tokens=tokens), encoding="utf-8")
    return path


@pytest.mark.parametrize("type_", ["bpe", "wordpiece", "unigram"])
def test_text_comes_back(type_: str, text: Path, tmp_path: Path) -> None:
    out = tmp_path / "tokenizer.json"
    result = type_in("tokenizer", text, "--vocab", "400", "--type", type_, "-o", out)
    assert result.exit_code == 0, result.output
    assert "bytes per token" in result.stderr
    made = Tokenizer.from_file(str(out))
    assert made.get_vocab_size() == 400
    sentence = "the with statement is used"
    assert made.decode(made.encode(sentence).ids) == sentence


def test_every_text_comes_back_from_bytes(text: Path, tmp_path: Path) -> None:
    out = tmp_path / "tokenizer.json"
    type_in("tokenizer", text, "--vocab", "300", "-o", out)
    made = Tokenizer.from_file(str(out))
    for sentence in ("Größe  ≠ 大小\n\n\t🙂", " leading", "trailing "):
        assert made.decode(made.encode(sentence).ids) == sentence


@pytest.mark.parametrize(
    ("type_", "family", "tokens", "expected"),
    [
        ("bpe", "decoder-only", "eos: 399", {"<|endoftext|>": 399}),
        ("bpe", "decoder-only", "pad: 3, bos: 1, eos: [2, 7]",
         {"<|pad|>": 3, "<|startoftext|>": 1, "<|endoftext|>": 2, "<|endoftext|>2": 7}),
        ("wordpiece", "encoder-only", "pad: 1", {"[PAD]": 1, "[UNK]": 0, "[MASK]": 2}),
        ("unigram", "encoder-decoder", "pad: 0, eos: 1, decoder_start: 0",
         {"<pad>": 0, "</s>": 1, "<unk>": 2}),
    ],
)  # fmt: skip
def test_special_tokens_have_the_ids_of_the_spec(
    type_: str, family: str, tokens: str, expected: dict[str, int], text: Path, tmp_path: Path
) -> None:
    spec, out = write_spec(tmp_path, tokens, family=family), tmp_path / "tokenizer.json"
    result = type_in("tokenizer", text, "--spec", spec, "--type", type_, "-o", out)
    assert result.exit_code == 0, result.output
    made = Tokenizer.from_file(str(out))
    assert {token.content: n for n, token in made.get_added_tokens_decoder().items()} == expected
    assert sorted(made.get_vocab().values()) == list(range(400))
    assert made.decode(made.encode("the with statement").ids) == "the with statement"
    name = next(iter(expected))
    assert made.encode(f"the{name}").ids[-1] == expected[name]


@pytest.mark.parametrize("type_", ["bpe", "wordpiece", "unigram"])
def test_names_of_special_tokens_in_a_text_are_text(type_: str, text: Path, tmp_path: Path) -> None:
    """Unless they are wanted; all other texts have the ids that the library gives."""
    out = tmp_path / "tokenizer.json"
    type_in("tokenizer", text, "--vocab", "400", "--type", type_, "-o", out)
    file, theirs = read_tokenizer(str(out)), Tokenizer.from_file(str(out))
    named, plain = encoder(replace(file, names=True)), encoder(file)
    for name, number in file.tokens.items():
        if number not in file.roles.values() or name in ("[UNK]", "<unk>"):
            continue
        ids = plain([f"the {name} of"])[0]
        assert number not in ids
        assert number in named([f"the {name} of"])[0]
        if type_ == "bpe":
            assert theirs.decode(ids, skip_special_tokens=False) == f"the {name} of"
    lines = text.read_text(encoding="utf-8").splitlines()[:50]
    assert plain(lines) == named(lines) == [theirs.encode(line).ids for line in lines]


def test_a_vocabulary_that_no_text_fills(tmp_path: Path) -> None:
    """The library takes memory for all tokens that it may make."""
    (tmp_path / "a.txt").write_text("a text of a few words", encoding="utf-8")
    for type_ in ("bpe", "wordpiece", "unigram"):
        words = ("--vocab", str(2**62), "--type", type_, "-o", tmp_path / f"{type_}.json")
        result = type_in("tokenizer", tmp_path / "a.txt", *words)
        assert result.exit_code == 0, result.output
        assert "the text is too short for" in result.stderr


def test_bytes_per_token_is_what_the_tokenizer_needs(text: Path, tmp_path: Path) -> None:
    out = tmp_path / "tokenizer.json"
    result = type_in("tokenizer", text, "--vocab", "400", "-o", out)
    content = text.read_text(encoding="utf-8")
    count = len(Tokenizer.from_file(str(out)).encode(content).ids)
    assert f"{len(content.encode()) / count:.2f} bytes per token" in result.stderr


def test_jsonl_and_parquet_give_the_same_tokenizer(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    documents = list(topics.topics.values())[:6]
    lines = "".join(json.dumps({"body": text}) + "\n" for text in documents)
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    parquet.write_table(pyarrow.table({"n": range(6), "body": documents}), tmp_path / "a.parquet")
    made = []
    for name in ("a.jsonl", "a.parquet"):
        out = tmp_path / f"{name}.json"
        words = ("tokenizer", tmp_path / name, "--vocab", "350", "--field", "body", "-o", out)
        assert type_in(*words).exit_code == 0
        made.append(out.read_bytes())
    assert made[0] == made[1]


REFUSED = {
    "no_file": (["nowhere.txt", "--vocab", "400"], "nowhere.txt: no such file"),
    "folder": ([".", "--vocab", "400"], "is a folder; give its files"),
    "no_size": (["text"], "--vocab, or give a spec with --spec"),
    "small": (["text", "--vocab", "200"], "needs a vocabulary of at least 257"),
    "field": (["a.jsonl", "--vocab", "400"], "a.jsonl:1: no field `text`; its fields: body"),
    "json": (["bad.jsonl", "--vocab", "400"], "bad.jsonl:2: not valid JSON"),
    "number": (["number.jsonl", "--vocab", "400"], "`text` is not a string but int"),
    "utf8": (["latin.txt", "--vocab", "400"], "latin.txt: byte 3 is not valid UTF-8"),
    "empty": (["empty.txt", "--vocab", "400"], "the text is empty"),
    "parquet": (["bad.parquet", "--vocab", "400"], "bad.parquet is not a valid Parquet file"),
    "beyond": (["text", "--spec", "x.yaml", "--vocab", "300"], "has id 399, but the vocabulary"),
    "short": (["short.txt", "--spec", "x.yaml"], "the text gives a vocabulary of only"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused(case: str, text: Path, tmp_path: Path) -> None:
    write_spec(tmp_path, "eos: 399")
    (tmp_path / "text").write_bytes(text.read_bytes())
    (tmp_path / "short.txt").write_text("so short", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"body": "x"}\n', encoding="utf-8")
    (tmp_path / "number.jsonl").write_text('{"text": 3}\n', encoding="utf-8")
    (tmp_path / "bad.jsonl").write_text('{"text": "x"}\n{"text": \n', encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes("für".encode("latin-1")[:1] + b"ab\xfcxyz")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "bad.parquet").write_text("no parquet", encoding="utf-8")
    words, message = REFUSED[case]
    found = [str(tmp_path / word) if (tmp_path / word).exists() else word for word in words]
    result = type_in("tokenizer", *found, "-o", tmp_path / "tokenizer.json")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "tokenizer.json").exists()


def test_the_token_at_which_a_head_reads_ends_a_text() -> None:
    """As CLIP's, which `data` then appends; `tokens` may name another one."""
    clip = mw.load(Path(mw.__file__).parent / "examples" / "clip_vit_b32.yaml")
    assert wanted_specials("bpe", clip) == {"<|endoftext|>": 49407}
    head = "{type: classifier, classes: 2, pool: {type: token, id: 7}}"
    text = SPEC.replace("language_model", head.replace("{", "{{").replace("}", "}}"))
    for tokens, expected in (("", 7), ("eos: 3", 3)):
        spec = mw.loads(text.format(family="encoder-only", size=300, tokens=tokens))
        assert wanted_specials("bpe", spec) == {"<|endoftext|>": expected}
