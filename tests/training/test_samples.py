"""The order of samples, and what a sample of text predicts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from modelwright.training.emitted import text
from modelwright.training.emitted.files import TrainingError, shuffled
from modelwright.training.encoding import read_tokenizer
from modelwright.training.token_files import Request, write_data


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 65, 1000])
def test_an_epoch_is_a_permutation(count: int) -> None:
    orders = [[shuffled(e * count + n, count, 5)[1] for n in range(count)] for e in range(3)]
    assert all(sorted(order) == list(range(count)) for order in orders)
    if count > 7:
        assert orders[0] != orders[1]
        assert orders[0] != list(range(count))
        assert orders[0] != [shuffled(n, count, 6)[1] for n in range(count)]


def test_the_order_is_spread_evenly() -> None:
    """Neighbours in an epoch are as far apart as in a random permutation: a third of all."""
    order = np.array([shuffled(n, 3000, 0)[1] for n in range(3000)])
    assert np.abs(np.diff(order)).mean() == pytest.approx(1000, rel=0.05)
    assert np.corrcoef(order, np.arange(3000))[0, 1] == pytest.approx(0, abs=0.05)


def test_the_order_needs_no_list() -> None:
    """Of 1e12 places, as soon as of a thousand."""
    epoch, place, _ = shuffled(3 * 10**12 + 5, 10**12, 0)
    assert epoch == 3
    assert 0 <= place < 10**12


def test_the_order_stays() -> None:
    """Another order would make runs of an earlier version go on with other samples."""
    assert [shuffled(n, 10, 0)[1] for n in range(10)] == FIRST


FIRST = [0, 8, 2, 6, 5, 4, 9, 3, 7, 1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Documents of 7, 3, 11, … bytes, each made of one letter."""
    lengths = [7, 3, 11, 1, 5, 20, 4, 9, 13, 6] * 6
    documents = [chr(97 + n % 26) * length for n, length in enumerate(lengths)]
    lines = "".join(json.dumps({"text": document}) + "\n" for document in documents)
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    request = Request([tmp_path / "a.jsonl"], "text", read_tokenizer("bytes"), None, 0.2)
    write_data(request, tmp_path / "tokens")
    return tmp_path / "tokens"


@pytest.mark.parametrize("end", [-1, 0, 6, 8, 2**62])
def test_the_end_of_one_document_is_checked(end: int, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1234567", encoding="utf-8")
    request = Request([tmp_path / "a.txt"], "text", read_tokenizer("bytes"), None, 0.0)
    write_data(request, tmp_path / "tokens")
    assert text.Samples(tmp_path / "tokens", "train", 3, 0).count == 1
    np.array([end]).tofile(tmp_path / "tokens" / "train.ends")
    with pytest.raises(TrainingError, match=r"does not fit train\.bin"):
        text.Samples(tmp_path / "tokens", "train", 3, 0)


def test_labels_are_the_next_tokens_of_the_same_document(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "INPUTS", ("input_ids", "document_ids"))
    samples = text.Samples(folder, "train", 16, 3)
    stream = np.fromfile(folder / "train.bin", np.uint16).astype(int).tolist()
    ends = set(np.fromfile(folder / "train.ends", np.int64).tolist())
    inputs, labels = samples.batch(5, 20)
    for row in range(20):
        start = samples.start(5 + row)
        expected = stream[start : start + 17]
        assert inputs["input_ids"][row].tolist() == expected[:-1]
        wanted = [-100 if start + n + 1 in ends else expected[n + 1] for n in range(16)]
        assert labels[row].tolist() == wanted
        documents = inputs["document_ids"][row].tolist()
        assert documents[0] == 0
        starts = [n for n in range(1, 16) if start + n in ends]
        assert [n for n in range(1, 16) if documents[n] != documents[n - 1]] == starts
    assert (labels == -100).any()


def test_an_epoch_reads_nearly_everything_once(folder: Path) -> None:
    samples = text.Samples(folder, "train", 16, 0)
    starts = sorted(samples.start(n) for n in range(samples.count))
    assert np.unique(np.diff(starts)).tolist() == [16]
    assert len(samples.tokens) - 17 >= starts[-1] >= len(samples.tokens) - 3 * 16


def test_bits_per_byte_count_the_tokens_of_a_byte(folder: Path) -> None:
    samples = text.Samples(folder, "val", 16, 0)
    samples.about = {"tokens": 100, "bytes": 400}
    assert samples.measures(4 * np.log(2)) == {"bits_per_byte": pytest.approx(1.0)}
