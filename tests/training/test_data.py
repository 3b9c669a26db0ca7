"""`modelwright data`: contents of the files, streaming, processes, interruptions and errors."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from pydoc_data import topics

import numpy as np
import pytest
from click.testing import CliRunner, Result
from conftest import full_disk

from modelwright.cli import cli
from modelwright.training import texts
from modelwright.training.encoding import read_tokenizer
from modelwright.training.texts import read_rows
from modelwright.training.token_files import Request, write_data

DOCUMENTS = [*list(topics.topics.values())[:8], "", "Größe 🙂"]


def type_in(*words: str | Path) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def read_documents(folder: Path, split: str, column: str = "") -> list[list[int]]:
    """The tokens of each document."""
    about = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    tokens = np.fromfile(folder / f"{split}{column}.bin", about["dtype"]).tolist()
    ends = np.fromfile(folder / f"{split}{column}.ends", np.int64).tolist()
    return [tokens[a:b] for a, b in zip([0, *ends], ends, strict=False)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "text").write_text("\n".join(DOCUMENTS), encoding="utf-8")
    type_in("tokenizer", folder / "text", "--vocab", "400", "-o", folder / "tokenizer.json")
    return folder / "tokenizer.json"


@pytest.fixture
def jsonl(tmp_path: Path) -> Path:
    path = tmp_path / "pages.jsonl"
    lines = [json.dumps({"text": text, "label": n % 3}) for n, text in enumerate(DOCUMENTS)]
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_documents_and_their_ends(tokenizer: Path, jsonl: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    out = tmp_path / "tokens"
    result = type_in("data", jsonl, "--tokenizer", tokenizer, "--held-out", "0.2", "-o", out)
    assert result.exit_code == 0, result.output
    about = json.loads((out / "data.json").read_text(encoding="utf-8"))
    train, val = read_documents(out, "train"), read_documents(out, "val")
    assert (len(train), len(val)) == (8, 2)
    assert (about["kind"], about["vocabulary"], about["end"]) == ("text", 400, 0)
    made = Tokenizer.from_file(str(tokenizer))
    expected = [[*made.encode(text).ids, 0] for text in DOCUMENTS]
    assert sorted(train + val) == sorted(expected)
    assert val == [expected[4], expected[9]]
    sizes = {split: about[split]["bytes"] for split in ("train", "val")}
    assert sum(sizes.values()) == sum(len(text.encode()) for text in DOCUMENTS)
    assert (out / "tokenizer.json").read_bytes() == tokenizer.read_bytes()


def test_processes_change_nothing(tokenizer: Path, jsonl: Path, tmp_path: Path) -> None:
    made = []
    for processes in ("1", "2"):
        out = tmp_path / processes
        type_in("data", jsonl, "--tokenizer", tokenizer, "--processes", processes, "-o", out)
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert made[0] == made[1]


@pytest.mark.parametrize("held_out", [0.0, 0.1, 0.37])
@pytest.mark.parametrize("piece", [64, 1000, 1 << 20])
def test_a_text_file_is_one_document_cut_once(
    piece: int, held_out: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it is read, no byte is lost, and the end of the file is what is held out."""
    monkeypatch.setattr(texts, "PIECE", piece)
    content = "\n".join(DOCUMENTS) + "x" * 300 + "\nöäü\n"
    (tmp_path / "a.txt").write_text(content, encoding="utf-8")
    request = Request([tmp_path / "a.txt"], "text", read_tokenizer("bytes"), None, held_out)
    write_data(request, tmp_path / "out")
    train, val = read_documents(tmp_path / "out", "train"), read_documents(tmp_path / "out", "val")
    assert len(train) == 1
    assert len(val) == (held_out > 0)
    held = val[0] if val else []
    assert bytes(train[0] + held).decode() == content
    assert abs(len(held) - held_out * len(content.encode())) < 100


def test_pieces_are_small_and_end_with_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "PIECE", 100)
    content = "".join(f"line {n} ü\n" for n in range(200))
    (tmp_path / "a.txt").write_text(content, encoding="utf-8")
    rows = list(read_rows(tmp_path / "a.txt"))
    assert "".join(row.fields["text"] for row in rows) == content
    assert all(row.fields["text"].endswith("\n") for row in rows)
    assert max(len(row.fields["text"]) for row in rows) <= 200
    assert [row.ends for row in rows] == [False] * (len(rows) - 1) + [True]
    assert rows[-1].position == len(content.encode())


def test_pairs_and_labels(tokenizer: Path, tmp_path: Path) -> None:
    lines = [{"en": f"a {n}", "de": f"ein {n}", "class": n % 4} for n in range(40)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    fields = ("--field", "source=en", "--field", "target=de")
    words = ("data", path, "--tokenizer", "bytes", "--held-out", "0.1")
    assert type_in(*words, "--kind", "pairs", *fields, "-o", tmp_path / "pairs").exit_code == 0
    source = read_documents(tmp_path / "pairs", "train", ".source")
    target = read_documents(tmp_path / "pairs", "train", ".target")
    texts_ = [(bytes(s).decode(), bytes(t).decode()) for s, t in zip(source, target, strict=True)]
    assert texts_[:2] == [("a 0", "ein 0"), ("a 1", "ein 1")]
    assert len(texts_) == 36
    fields = ("--field", "text=en", "--field", "label=class")
    type_in(*words, "--kind", "labelled", *fields, "-o", tmp_path / "labelled")
    labels = np.fromfile(tmp_path / "labelled" / "train.labels", np.int64).tolist()
    texts_ = [bytes(t).decode() for t in read_documents(tmp_path / "labelled", "train")]
    assert [f"a {n}" for n in range(40) if n % 10 != 9] == texts_
    assert labels == [n % 4 for n in range(40) if n % 10 != 9]


def test_large_vocabularies_have_wide_ids(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    words = {f"w{n}": n for n in range(70_000)}
    path = tmp_path / "tokenizer.json"
    Tokenizer(models.WordLevel(words, "w0")).save(str(path))
    (tmp_path / "a.jsonl").write_text('{"text": "w69999"}\n', encoding="utf-8")
    type_in("data", tmp_path / "a.jsonl", "--tokenizer", path, "-o", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "data.json").read_text())["dtype"] == "uint32"
    assert read_documents(tmp_path / "out", "train") == [[69_999]]


REFUSED = {
    "tokenizer": (["--tokenizer", "nowhere.json"], "--tokenizer takes a tokenizer.json file"),
    "broken": (["--tokenizer", "pages.jsonl"], "is not a valid tokenizer.json"),
    "end": (["--tokenizer", "bytes", "--end", "</s>"], "the tokenizer has no token `</s>`"),
    "field": (["--tokenizer", "bytes", "--field", "word=x"], "expected NAME=FIELD"),
    "column": (["--tokenizer", "bytes", "--kind", "pairs"], ":1: no field `source`"),
    "label": (
        ["--tokenizer", "bytes", "--kind", "labelled", "--field", "label=text"],
        "must be a class number",
    ),
    "huge": (
        ["labels.jsonl", "--tokenizer", "bytes", "--kind", "labelled"],
        "labels.jsonl:1: `label` must be a class number from 0 to 2147483647, not 99999999999999",
    ),
    "deep": (["deep.jsonl", "--tokenizer", "bytes"], "deep.jsonl:1: lists or objects are nested"),
    "half": (["half.jsonl", "--tokenizer", "bytes"], "half.jsonl:1: `text` contains half of a"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused(case: str, jsonl: Path, tmp_path: Path) -> None:
    (tmp_path / "half.jsonl").write_text('{"text": "\\ud83d"}\n', encoding="utf-8")
    (tmp_path / "labels.jsonl").write_text(
        f'{{"text": "a", "label": {"9" * 40}}}', encoding="utf-8"
    )
    (tmp_path / "deep.jsonl").write_text(f'{{"text": {"[" * 100_000}', encoding="utf-8")
    words, message = REFUSED[case]
    found = [str(tmp_path / word) if (tmp_path / word).exists() else word for word in words]
    before = sorted(tmp_path.iterdir())
    files = [] if case in ("huge", "deep") else [jsonl]
    result = type_in("data", *files, *found, "--processes", "1", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert message in result.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_another_folder_is_not_replaced(jsonl: Path, tmp_path: Path) -> None:
    words = ("data", jsonl, "--tokenizer", "bytes", "-o", tmp_path / "out")
    assert type_in(*words).exit_code == 0
    assert type_in(*words).exit_code == 2
    assert type_in(*words, "--force").exit_code == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").touch()
    result = type_in(*words[:-1], tmp_path / "mine", "--force")
    assert "was not created by Modelwright" in result.stderr
    (tmp_path / "mine" / "data.json").write_text('{"kind": "of somebody else"}')
    result = type_in(*words[:-1], tmp_path / "mine", "--force")
    assert "was not created by Modelwright" in result.stderr
    for name in ("notes.txt", "train.csv"):
        (tmp_path / "out" / name).touch()
    result = type_in(*words, "--force")
    assert result.exit_code == 2
    assert "out contains notes.txt and 1 more, not written by this command" in result.stderr
    assert (tmp_path / "out" / "notes.txt").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interruption_leaves_no_files(number: signal.Signals, tmp_path: Path) -> None:
    """After SIGKILL, which nobody can answer, the next command removes what was left."""
    line = json.dumps({"text": "so many words " * 5000}) + "\n"
    with (tmp_path / "a.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(line for _ in range(2000))
    command = [sys.executable, "-m", "modelwright", "data", "a.jsonl"]
    command += ["--tokenizer", "bytes", "--processes", "1", "-o", "out"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's `&` ignores it
    )
    while not any(tmp_path.glob(".*.out/train.bin")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    process.communicate()
    assert process.returncode != 0
    assert not (tmp_path / "out").exists()
    (tmp_path / "a.jsonl").write_text('{"text": "short"}\n', encoding="utf-8")
    if number == signal.SIGKILL:
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert not list(tmp_path.glob(".*"))


def test_progress_reaches_the_end(jsonl: Path, tmp_path: Path) -> None:
    told: list[float] = []
    request = Request([jsonl, jsonl], "text", read_tokenizer("bytes"), None)
    write_data(request, tmp_path / "out", on_progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


@pytest.mark.parametrize("kind", ["text", "images", "captions"])
def test_a_full_disk_leaves_nothing(kind: str, tmp_path: Path) -> None:
    """The message says why, and a part that does not fit is not lost in silence."""
    (tmp_path / "a.txt").write_text("a house " * 2000, encoding="utf-8")
    images = np.zeros((40, 3, 16, 16), np.uint8)
    texts = {"labels": np.arange(40), "texts": np.array(["a house"] * 40)}
    np.savez(tmp_path / "a.npz", images=images, **texts)
    words = () if kind == "images" else ("--tokenizer", "bytes")
    words += ("--kind", kind, "-o", tmp_path / "out")
    before = sorted(tmp_path.iterdir())
    with full_disk(8192):
        result = type_in("data", tmp_path / ("a.txt" if kind == "text" else "a.npz"), *words)
    assert result.exit_code == 2
    assert f"{tmp_path / 'out'} cannot be written: File too large" in result.stderr
    assert sorted(tmp_path.iterdir()) == before
