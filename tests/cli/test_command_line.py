"""The commands as a user types them: results, messages, exit codes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from modelwright.cli import COMMANDS, cli
from modelwright.cli.new import example_names, example_text


def type_in(*words: str | Path, stdin: str | None = None) -> Result:
    """The result of a command line; an exception that is a fault of ours is raised."""
    result = CliRunner().invoke(cli, [str(word) for word in words], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def gpt2(tmp_path: Path) -> Path:
    path = tmp_path / "gpt2.yaml"
    path.write_text(example_text("gpt2"), encoding="utf-8")
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.yaml"
    path.write_text(example_text("gpt2").replace("layers: 12", "layer: 12"), encoding="utf-8")
    return path


class TestNew:
    def test_lists_every_example_with_what_it_is(self) -> None:
        lines = type_in("new").stdout.splitlines()
        assert [line.split()[0] for line in lines] == example_names()
        assert all(len(line.split()) > 3 for line in lines)
        assert "Vaswani et al., 2017" in "\n".join(lines)

    def test_prints_an_example_without_its_modeline(self) -> None:
        text = type_in("new", "gpt2").stdout
        assert "name: gpt2" in text
        assert "$schema" not in text

    def test_takes_the_name_as_people_write_it(self) -> None:
        assert type_in("new", "bert-base.yaml").stdout == type_in("new", "bert_base").stdout

    def test_writes_what_the_example_extends_beside_it(self, tmp_path: Path) -> None:
        type_in("new", "gpt2_xl", "-o", tmp_path / "mine.yaml")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["gpt2.yaml", "mine.yaml"]

    def test_output_to_stdout_names_the_base_that_is_also_needed(self) -> None:
        result = type_in("new", "gpt2_xl")
        assert "modelwright new gpt2 > gpt2.yaml" in result.stderr
        assert "modelwright new" not in result.stdout
        assert not type_in("new", "gpt2_xl", "--quiet").stderr

    def test_never_overwrites_an_edited_spec(self, gpt2: Path) -> None:
        gpt2.write_text("mine")
        result = type_in("new", "gpt2", "-o", gpt2)
        assert (result.exit_code, gpt2.read_text()) == (2, "mine")
        assert "use --force" in result.stderr
        assert type_in("new", "gpt2", "-o", gpt2, "--force").exit_code == 0

    def test_guesses_at_a_misspelt_name(self) -> None:
        result = type_in("new", "gtp2")
        assert result.exit_code == 2
        assert "did you mean `gpt2`?" in result.stderr


class TestCheck:
    def test_check_prints_ok(self, gpt2: Path) -> None:
        result = type_in("check", gpt2)
        assert (result.stdout, result.exit_code) == (f"{gpt2}: ok\n", 0)
        assert type_in("check", gpt2, "-q").output == ""

    def test_errors_are_located(self, wrong: Path, gpt2: Path) -> None:
        result = type_in("check", wrong, gpt2)
        line = wrong.read_text().splitlines().index("layer: 12") + 1
        assert result.exit_code == 2
        assert f"{wrong}:{line}:1" in result.stderr
        assert "layers" in result.stderr
        assert result.stdout == f"{gpt2}: ok\n"

    def test_set_is_checked_too(self, gpt2: Path) -> None:
        assert type_in("check", gpt2, "--set", "layers=3").exit_code == 0
        result = type_in("check", gpt2, "--set", "layers=three")
        assert result.exit_code == 2
        assert "three" in result.stderr

    @pytest.mark.parametrize("name", ["nothing.yaml", "."])
    def test_a_file_that_cannot_be_read(self, tmp_path: Path, name: str) -> None:
        result = type_in("check", tmp_path / name)
        assert result.exit_code == 2
        assert str(tmp_path / name) in result.stderr
        assert "Traceback" not in result.stderr


class TestShow:
    def test_prints_defaults_and_origins(self, gpt2: Path) -> None:
        text = type_in("show", gpt2).stdout
        assert "d_model: 768" in text
        assert "gpt2.yaml" in text
        assert "default" in text


class TestBuild:
    def test_writes_a_module_that_imports_torch_only(self, gpt2: Path, tmp_path: Path) -> None:
        result = type_in("build", gpt2, "-o", tmp_path / "model.py", "--set", "layers=2")
        assert result.exit_code == 0
        assert "class Gpt2" in result.stderr
        text = (tmp_path / "model.py").read_text()
        compile(text, "model.py", "exec")
        assert "import modelwright" not in text
        assert "class Gpt2(nn.Module)" in text

    def test_prints_to_stdout(self, gpt2: Path) -> None:
        assert "class Gpt2(nn.Module)" in type_in("build", gpt2, "-o", "-").stdout

    def test_writes_the_source_map(self, gpt2: Path, tmp_path: Path) -> None:
        type_in("build", gpt2, "-o", tmp_path / "m.py", "--map")
        assert json.loads((tmp_path / "m.map.json").read_text())
        type_in("build", gpt2, "-o", tmp_path / "m.py", "--map", "--set", "layers=2")
        assert type_in("build", gpt2, "-o", "-", "--map").exit_code == 2

    def test_replaces_its_own_output_but_not_an_edited_one(
        self, gpt2: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "m.py"
        assert type_in("build", gpt2, "-o", out).exit_code == 0
        assert type_in("build", gpt2, "-o", out, "--set", "layers=3").exit_code == 0
        assert out.read_text() != ""
        out.write_text(out.read_text() + "# mine\n")
        edited = out.read_text()
        result = type_in("build", gpt2, "-o", out)
        assert (result.exit_code, out.read_text()) == (2, edited)
        assert "was modified" in result.stderr
        assert type_in("build", gpt2, "-o", out, "--force").exit_code == 0
        assert "# mine" not in out.read_text()

    def test_leaves_a_foreign_file_alone(self, gpt2: Path, tmp_path: Path) -> None:
        (tmp_path / "m.py").write_text("print('mine')\n")
        assert type_in("build", gpt2, "-o", tmp_path / "m.py").exit_code == 2
        assert (tmp_path / "m.py").read_text() == "print('mine')\n"

    def test_a_wrong_spec_writes_nothing(self, wrong: Path, tmp_path: Path) -> None:
        assert type_in("build", wrong, "-o", tmp_path / "m.py").exit_code == 2
        assert not (tmp_path / "m.py").exists()


class TestInspect:
    def test_counts_every_weight(self, gpt2: Path) -> None:
        assert "124,439,808" in type_in("inspect", gpt2).stdout

    def test_json_is_the_same_as_data(self, gpt2: Path) -> None:
        made = json.loads(type_in("inspect", gpt2, "--json").stdout)
        assert made["weights"]["total"] == 124_439_808
        assert made["flops"]["training"] == 3 * made["flops"]["forward"]
        assert made["cache_bytes"] == 2 * 12 * 768 * 1024 * 4

    def test_sizes_change_the_costs(self, gpt2: Path) -> None:
        sized = type_in(
            "inspect", gpt2, "--json", "--batch", "4", "--sequence", "256", "--dtype", "bfloat16"
        )
        assert json.loads(sized.stdout)["cache_bytes"] == 4 * 2 * 12 * 768 * 256 * 2

    def test_too_many_tokens_for_the_positions_are_reported(self, gpt2: Path) -> None:
        result = type_in("inspect", gpt2, "--sequence", "5000")
        assert "--sequence 5000 exceeds max_positions of `decoder`, 1024" in result.stderr
        assert not type_in("inspect", gpt2, "--sequence", "1024").stderr

    def test_kernels_are_named_with_the_reason(self, gpt2: Path) -> None:
        assert "sdpa" in type_in("inspect", gpt2, "--kernels").stdout

    def test_weights_are_listed(self, gpt2: Path) -> None:
        lines = type_in("inspect", gpt2, "--weights", "--set", "layers=3").stdout.splitlines()
        found = {words[0]: words[1:] for line in lines if (words := line.split())}
        query = found["layers.{layer}.attention.query.weight"]
        shape, numbers, layers, copies = query[:3], query[3], query[4], query[5]
        assert (shape, numbers, layers, copies) == (["768", "x", "768"], "589,824", "0-2", "3")
        assert found["head.weight"][-3:] == ["tied", "to", "token_embedding.weight"]
        assert lines[-1].split() == ["all", "copies", "60,648,960"]


class TestVisualize:
    @pytest.mark.parametrize(
        ("suffix", "magic"),
        [("svg", b"<"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("dot", b""), ("mmd", b"flow")],
    )
    def test_draws(self, gpt2: Path, tmp_path: Path, suffix: str, magic: bytes) -> None:
        out = tmp_path / f"figure.{suffix}"
        result = type_in("visualize", gpt2, "-o", out)
        assert result.exit_code == 0, result.stderr
        assert out.read_bytes().startswith(magic)
        assert len(out.read_bytes()) > 500
        assert type_in("visualize", gpt2, "-o", out, "--set", "layers=2").exit_code == 0

    def test_the_suffix_says_what(self, gpt2: Path, tmp_path: Path) -> None:
        result = type_in("visualize", gpt2, "-o", tmp_path / "figure.jpg")
        assert result.exit_code == 2
        assert "svg, png, pdf, dot" in result.stderr

    def test_the_depth_is_the_readers_choice(self, gpt2: Path, tmp_path: Path) -> None:
        depths = ("stack", "block", "module", "ops")
        for depth in depths:
            type_in("visualize", gpt2, "-o", tmp_path / f"{depth}.svg", "--depth", depth)
        sizes = [(tmp_path / f"{depth}.svg").stat().st_size for depth in depths]
        assert sizes == sorted(sizes)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--costs"], "56.7 M weights · 43 % FLOPs"),
            (["--legend"], "normalisation"),
            (["--unroll", "2"], "layer 1"),
            (["--direction", "right"], "12×"),
            (["--theme", "print", "--no-shapes", "--stack", "decoder"], "#000000"),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else "",
    )
    def test_a_figure_has_options(
        self, gpt2: Path, tmp_path: Path, options: list[str], said: str
    ) -> None:
        result = type_in("visualize", gpt2, "-o", tmp_path / "x.svg", *options)
        assert result.exit_code == 0, result.stderr
        assert said in (tmp_path / "x.svg").read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--stack", "decodr"], "unknown stack `decodr`; did you mean `decoder`?"),
            (["--unroll", "-3"], "unroll must be from 0 to 64, not -3"),
            (["--depth", "atom"], "'atom' is not one of 'stack', 'block', 'module', 'ops'"),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else "",
    )
    def test_an_unknown_option_is_reported(
        self, gpt2: Path, tmp_path: Path, options: list[str], said: str
    ) -> None:
        result = type_in("visualize", gpt2, "-o", tmp_path / "x.svg", *options)
        assert result.exit_code == 2
        assert said in result.stderr


class TestSchema:
    def test_is_json(self, tmp_path: Path) -> None:
        assert json.loads(type_in("schema").stdout)["$schema"]
        assert type_in("schema", "-o", tmp_path / "schema.json").exit_code == 0
        assert type_in("schema", "-o", tmp_path / "schema.json").exit_code == 0

    def test_the_one_beside_the_examples_is_current(self, examples: Path, tmp_path: Path) -> None:
        type_in("schema", "-o", tmp_path / "schema.json")
        current = (tmp_path / "schema.json").read_bytes()
        assert (examples / "schema.json").read_bytes() == current, "run `make docs`"


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_prints_a_script(self, shell: str) -> None:
        assert "_MODELWRIGHT_COMPLETE" in type_in("completion", shell).stdout

    def test_completes_example_names(self) -> None:
        environment = {
            **os.environ,
            "_MODELWRIGHT_COMPLETE": "bash_complete",
            "COMP_WORDS": "modelwright new gpt2_",
            "COMP_CWORD": "2",
        }
        done = subprocess.run(
            [sys.executable, "-m", "modelwright"],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "gpt2_xl" in done.stdout


class TestHelp:
    @pytest.mark.parametrize("command", sorted(COMMANDS))
    def test_every_command_has_an_example(self, command: str) -> None:
        result = type_in(command, "--help")
        assert result.exit_code == 0
        assert f"modelwright {command}" in result.stdout.replace("python -m ", "")

    def test_a_misspelt_command(self) -> None:
        result = type_in("biuld")
        assert result.exit_code == 2
        assert "biuld" in result.stderr

    def test_no_command_shows_the_commands(self) -> None:
        assert "build" in type_in("--help").stdout


def test_a_progress_bar_is_shown_on_a_terminal_only_after_a_second() -> None:
    code = (
        "import time, click\n"
        "from modelwright.cli.console import progress\n"
        "with click.Context(click.Command('x')):\n"
        "    with progress('quick work'): pass\n"
        "    with progress('slow work'): time.sleep(1.6)\n"
    )
    leader, follower = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stderr=follower)
    os.close(follower)
    shown = b""
    try:
        while block := os.read(leader, 4096):
            shown += block
    except OSError:  # the other end is closed
        pass
    assert process.wait() == 0
    assert b"slow work" in shown
    assert b"quick work" not in shown


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with specs, weights of freshly drawn models, and a tokenizer."""
    import tokenizers

    import modelwright as mw

    folder = tmp_path_factory.mktemp("trained")
    for name in ("tiny_gpt", "tiny_t5", "tiny_bert"):
        (folder / f"{name}.yaml").write_text(example_text(name), encoding="utf-8")
        mw.save_weights(mw.compile(folder / f"{name}.yaml"), folder / f"{name}.safetensors")
    words = {word: i for i, word in enumerate(["<unk>", "the", "house", "stands"])}
    model = tokenizers.models.WordLevel(words, unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


class TestGenerate:
    def go(self, folder: Path, name: str, *more: str, tokenizer: str = "bytes") -> Result:
        return type_in(
            "generate", folder / f"{name}.yaml", "--weights", folder / f"{name}.safetensors",
            "--tokenizer", tokenizer, *more, "--max-new-tokens", "6", "--device", "cpu",
        )  # fmt: skip

    def test_a_decoder_continues_the_prompt(self, trained: Path) -> None:
        result = self.go(trained, "tiny_gpt", "--prompt", "Once")
        assert result.exit_code == 0, result.stderr
        assert result.stdout.startswith("Once")
        assert len(result.stdout) > len("Once\n")

    def test_the_seed_decides(self, trained: Path) -> None:
        texts = [
            self.go(trained, "tiny_gpt", "--prompt", "a", "--seed", seed).stdout for seed in "112"
        ]
        assert texts[0] == texts[1] != texts[2]

    def test_sampling_options_reach_the_model(self, trained: Path) -> None:
        greedy = self.go(trained, "tiny_gpt", "--prompt", "a", "--temperature", "0")
        for words in (("--top-k", "1"), ("--top-p", "1e-9")):
            assert self.go(trained, "tiny_gpt", "--prompt", "a", *words).stdout == greedy.stdout

    def test_an_encoder_decoder_answers(self, trained: Path) -> None:
        result = self.go(trained, "tiny_t5", "--prompt", "Once")
        assert result.exit_code == 0
        assert not result.stdout.startswith("Once")

    def test_a_tokenizer_file(self, trained: Path) -> None:
        name = str(trained / "tokenizer.json")
        result = self.go(trained, "tiny_gpt", "--prompt", "the house", tokenizer=name)
        assert result.stdout.startswith("the house"), result.stderr

    @pytest.mark.parametrize(
        ("name", "words", "message"),
        [
            ("tiny_bert", ["--prompt", "a"], "cannot generate text"),
            ("tiny_gpt", ["--prompt", ""], "the prompt contains no tokens"),
            ("tiny_t5", ["--prompt", "ü"], "gives token id 195, but vocab_size is 128"),
            ("tiny_gpt", ["--prompt", "a", "--set", "layers=6"], "missing: layers.5.attention"),
            ("tiny_gpt", ["--prompt", "a", "--device", "moon"], "device moon is not available"),
            ("tiny_gpt", ["--prompt", "a", "--tokenizer", "none.json"], "none.json: no such file"),
            ("tiny_gpt", ["--prompt", "a", "--weights", "none.safetensors"], "does not exist"),
        ],
    )
    def test_inputs_that_do_not_fit(
        self, trained: Path, name: str, words: list[str], message: str
    ) -> None:
        folder = str(trained / name)
        command = ["generate", f"{folder}.yaml", "--weights", f"{folder}.safetensors"]
        command += ["--tokenizer", "bytes", "--max-new-tokens", "6", "--device", "cpu", *words]
        result = type_in(*command)
        assert result.exit_code == 2, result.output
        assert message in result.stderr

    def test_a_file_that_is_not_a_tokenizer_or_weights(self, trained: Path) -> None:
        spec = str(trained / "tiny_gpt.yaml")
        assert (
            "is not a valid tokenizer.json"
            in self.go(trained, "tiny_gpt", "--prompt", "a", tokenizer=spec).stderr
        )
        result = type_in(
            "generate", spec, "--weights", spec, "--tokenizer", "bytes", "--prompt", "a"
        )
        assert result.exit_code == 2
        assert "safetensors" in result.stderr


class TestImport:
    CONFIG = {  # noqa: RUF012
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "vocab_size": 99,
        "max_position_embeddings": 40,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "layer_norm_eps": 1e-12,
        "position_embedding_type": "absolute",
        "pad_token_id": 0,
        "initializer_range": 0.02,
    }

    def test_writes_a_spec_that_checks(self, tmp_path: Path) -> None:
        import safetensors.numpy

        import modelwright as mw

        folder = tmp_path / "model"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(self.CONFIG))
        safetensors.numpy.save_file({}, folder / "model.safetensors")
        result = type_in("import", folder, "-o", tmp_path / "spec.yaml")
        assert result.exit_code == 0, result.stderr
        assert mw.load(tmp_path / "spec.yaml").stacks["encoder"].d_model == 32

    def test_problems_of_a_folder_are_reported(self, tmp_path: Path) -> None:
        result = type_in("import", tmp_path)
        assert result.exit_code == 2
        assert "config.json" in result.stderr
