"""What modelwright does, in less than four minutes: `make demo`.

1. builds and draws a model of each family, in build/demo/;
2. imports a published checkpoint, embeds sentences, and compares with `transformers`;
3. trains the GPT on Python's documentation and generates text;
4. trains with commands and a new tokenizer: tokenizer, data, train, generate;
5. makes the result smaller: distillation and quantization.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
import subprocess
import sys
import time
from pathlib import Path
from pydoc_data import topics

import click
import torch
from embed_sentences import SENTENCES, compare, installed_folder
from rich.console import Console
from torch import nn
from train_gpt import PROMPT, train_with_a_bar, write

import modelwright as mw
from modelwright.backends.pytorch.quantized import WARNS_ON_IMPORT

EXAMPLES = Path(__file__).resolve().parent
ROOT = EXAMPLES.parent
OUTPUT = ROOT / "build" / "demo"
FAMILIES = {"decoder-only": "tiny_gpt", "encoder-only": "bert_base", "encoder-decoder": "t5_small"}

console = Console(highlight=False)
for name in WARNS_ON_IMPORT:  # transformers imports torchao
    logging.getLogger(name).setLevel(logging.ERROR)


def modelwright(*words: str | Path) -> None:
    """Print a command as one would type it, and run it in the repository."""
    typed = [shown(word) for word in words]
    console.print("[bold]$ modelwright " + " ".join(typed), soft_wrap=True)
    subprocess.run([sys.executable, "-m", "modelwright", *typed], check=True, cwd=ROOT)


def shown(word: str | Path) -> str:
    """A path relative to the repository."""
    inside = isinstance(word, Path) and word.is_relative_to(ROOT)
    return str(Path(word).relative_to(ROOT) if inside else word)


def build_and_draw() -> list[Path]:
    """Build and draw a model of each family; return the paths of the files."""
    made = []
    for family, name in FAMILIES.items():
        console.rule(f"{family}: {name}")
        spec = EXAMPLES / f"{name}.yaml"
        built, figure = OUTPUT / f"{name}.py", OUTPUT / f"{name}.svg"
        modelwright("build", spec, "-o", built)
        modelwright("visualize", spec, "-o", figure)
        made += [built, figure]
    return made


def import_built(path: Path) -> nn.Module:
    """The model of a built file, which is imported as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    model: nn.Module = module.TinyGpt()
    return model


def import_and_embed() -> float:
    """Import a checkpoint and embed sentences; return the largest difference from transformers."""
    console.rule("a real checkpoint: all-MiniLM-L6-v2")
    folder = installed_folder()
    modelwright("import", folder, "-o", OUTPUT / "minilm.yaml")
    print((OUTPUT / "minilm.yaml").read_text(encoding="utf-8"))
    return compare(folder, list(SENTENCES))


def train_and_write(built: Path, seconds: float) -> tuple[float, float]:
    """Train the built GPT and print generated text; return held-out loss before and after."""
    console.rule(f"training the GPT that was built, {seconds:.0f} seconds")
    model = import_built(built)
    losses = train_with_a_bar(model, seconds=seconds)
    mw.save_weights(model, OUTPUT / "tiny_gpt.safetensors")
    console.rule("what it writes")
    print(write(model, PROMPT))
    return losses


TEXT, TOKENIZER, TOKENS = OUTPUT / "topics.txt", OUTPUT / "tokenizer.json", OUTPUT / "tokens"
SIZE = ("--set", "vocab_size=512", "--set", "max_positions=64")
SETTINGS = ("--batch", "16", "--lr", "0.004", "--log-every", "50")


def tokenize_and_train(steps: int) -> float:
    """Tokenizer, data, training and text with four commands; return held-out bits per byte."""
    console.rule(f"the commands for training: {steps} steps of a GPT with a tokenizer of its own")
    spec, run = EXAMPLES / "tiny_gpt.yaml", OUTPUT / "run"
    TEXT.write_text("\n".join(topics.topics.values()), encoding="utf-8")
    modelwright("tokenizer", TEXT, "--vocab", "512", "-o", TOKENIZER, "--force")
    modelwright("data", TEXT, "--tokenizer", TOKENIZER, "-o", TOKENS, "--force")
    shutil.rmtree(run, ignore_errors=True)
    modelwright("train", spec, *SIZE, "--data", TOKENS, "-o", run, "--steps", str(steps), *SETTINGS)
    generate(spec, SIZE, run / "weights.safetensors")
    return bits_per_byte(run)


def distill_and_quantize(steps: int) -> tuple[float, float]:
    """A model with fewer layers that learns from the first one, in 8 bits. Return its held-out
    bits per byte, and its size divided by that of the first one.
    """
    console.rule(f"a smaller one: two layers, {steps} steps of distillation, 8 bits")
    teacher, student = OUTPUT / "teacher.yaml", EXAMPLES / "tiny_gpt.yaml"
    run, small = OUTPUT / "student", OUTPUT / "student_int8.safetensors"
    layers = (*SIZE, "--set", "layers=2")
    teacher.write_text(mw.to_yaml(mw.load(student, sets=SIZE[1::2])), encoding="utf-8")
    weights = OUTPUT / "run" / "weights.safetensors"
    taught = ("--teacher", teacher, "--teacher-weights", weights, "--distill", "logits,relations")
    shutil.rmtree(run, ignore_errors=True)
    modelwright(
        "train", student, *layers, "--data", TOKENS, "-o", run, "--steps", str(steps), *SETTINGS,
        *taught, "--start-from-teacher",
    )  # fmt: skip
    modelwright(
        "quantize", student, *layers, "--weights", run / "weights.safetensors", "--to", "int8",
        "--data", TOKENS, "-o", small, "--force",
    )  # fmt: skip
    generate(student, layers, small)
    return bits_per_byte(run), small.stat().st_size / weights.stat().st_size


def generate(spec: Path, sets: tuple[str, ...], weights: Path) -> None:
    """Print text that begins with a prompt."""
    sampling = ("--max-new-tokens", "40", "--temperature", "0.7", "--top-k", "40")
    prompt = ("--tokenizer", TOKENIZER, "--prompt", "The with statement")
    modelwright("generate", spec, *sets, "--weights", weights, *prompt, *sampling)


def bits_per_byte(run: Path) -> float:
    """The last evaluation of a run."""
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return float(json.loads(lines[-1])["bits_per_byte"])


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="For the training.")
@click.option("--steps", default=150, show_default=True, help="Of `modelwright train`.")
def main(seconds: float, steps: int) -> None:
    """Build, draw, import, embed, train and generate."""
    start = time.monotonic()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    made = build_and_draw()
    difference = import_and_embed()
    before, after = train_and_write(OUTPUT / "tiny_gpt.py", seconds)
    bits = tokenize_and_train(steps)
    small_bits, share = distill_and_quantize(steps // 2)
    console.rule("done")
    for path in made:
        print(f"made             {shown(path)}")
    print(
        f"embedded         {len(SENTENCES)} sentences; {difference:.0e} from transformers at most"
    )
    print(f"trained          held-out loss {before:.2f} -> {after:.2f} nats per byte")
    print(f"tokenized        and trained: {bits:.2f} bits per byte, held out")
    print(f"distilled        {small_bits:.2f} bits per byte; in 8 bits, {share:.0%} of the size")
    print(f"loss curve       {shown(OUTPUT / 'run' / 'loss.svg')}")
    print(f"weights          {shown(OUTPUT / 'tiny_gpt.safetensors')}")
    print(f"it took          {time.monotonic() - start:.0f} seconds")


if __name__ == "__main__":
    main()
