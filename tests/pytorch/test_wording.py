"""The text of emitted files: references, docstrings, legends, names."""

from __future__ import annotations

import ast
import re

import pytest
from emitted_texts import ALL, built, tree

REFERENCE = re.compile(r"(?<![\d.])\d{4}\.\d{4,5}(?!\d)")

SOME = list(ALL)[::4]


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", SOME)
def test_papers_have_their_arxiv_id(name: str) -> None:
    docs = [node for node in ast.walk(tree(name)) if isinstance(node, ast.Constant)]
    texts = [node.value for node in docs if isinstance(node.value, str)]
    for text in texts:
        for found in REFERENCE.finditer(text):
            assert text[: found.start()].endswith("arXiv:"), text


CITED = re.compile(r"[A-Z][\w-]+( et al\.|, [A-Z][\w-]+| Team)? \d{4},$")


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", SOME)
def test_papers_have_their_authors_and_year(name: str) -> None:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = " ".join(node.value.split())
            for found in re.finditer("arXiv:", text):
                assert CITED.search(text[: found.start()].rstrip()), text


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", SOME)
def test_every_helper_says_what_it_computes(name: str) -> None:
    functions = [node for node in tree(name).body if isinstance(node, ast.FunctionDef)]
    assert [one.name for one in functions if not ast.get_docstring(one)] == []


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", SOME)
def test_the_legend_matches_the_file(name: str) -> None:
    """Tokens are new only where a cache holds others; chunks are no classes."""
    card = ast.get_docstring(tree(name)) or ""
    legend = " ".join(card[card.index("Shapes:") :].split())
    cached = any(isinstance(n, ast.ClassDef) and n.name.endswith("Cache") for n in tree(name).body)
    assert ("T new tokens" in legend) == (cached and "T " in legend)
    assert ("C classes" in legend) <= ("classes: int" in built(name).text)


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", SOME)
def test_positions_are_called_so(name: str) -> None:
    assert "place" not in {n.id for n in ast.walk(tree(name)) if isinstance(n, ast.Name)}


def test_numbers_are_explained() -> None:
    clip = built("example clip_vit_b32").text
    assert clip.count("2.659260036932778") == clip.count("  # log(1 / 0.07)") == 2
    assert "token_pool(text, input_ids, token_id=self.pooled_token_id)" in clip
    assert "positions_of_tokens(input_ids, pad_token_id=1)" in built("example roberta_base").text
    assert "members: int = 2" in built("example deepseek_v3").text
    assert "torch.full((config.heads,), 0.0)" not in built("example gpt_oss_20b").text


@pytest.mark.parametrize(
    ("example", "line"),
    [
        (
            "bert_base",
            "x = self.dropout(self.embedding_norm(x + self.position_embedding(position_ids)))",
        ),
        ("roberta_base", "x = self.norm(F.gelu(self.dense(x)))"),
        ("transformer_base", "x = self.dropout(x + sinusoid_pairs("),
        ("gpt2", "        x = self.dropout(x)\n"),  # would not fit on one line
        ("clip_vit_b32", "x = self.embedding_norm(x + self.position_embedding.weight)"),
    ],
)
def test_modules_are_applied_in_one_line_where_that_fits(example: str, line: str) -> None:
    assert line in built(f"example {example}").text
