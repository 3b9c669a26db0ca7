"""The command line: the only file that prints or exits.

Every command imports what it needs inside itself: `check` starts without networkx, and `inspect`
and `visualize` without torch. Results go to stdout, everything else to stderr. Exit codes: 0 done,
1 stopped or a fault of ours, 2 something is wrong with what was given.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from . import __version__

if TYPE_CHECKING:
    from .compiler import ModuleGraph
    from .spec import ModelSpec

Command = TypeVar("Command", bound=Callable[..., Any])

EXAMPLES = Path(__file__).parent / "examples"
DTYPES = ("float32", "float64", "bfloat16", "float16")
FIGURES = ("svg", "png", "pdf", "dot", "mmd")
DEPTHS = ("block", "stack")
OUTPUT = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


class BadInputError(click.ClickException):
    """Something is wrong with what was given: its message, and exit code 2."""

    exit_code = 2

    def __init__(self, message: str, *, located: bool = False) -> None:
        super().__init__(message)
        self.located = located

    def show(self, file: Any = None) -> None:
        """The message; errors that say where they are need no word before it."""
        click.echo(self.message if self.located else f"Error: {self.message}", err=True)


class Commands(click.Group):
    """Keeps the order that commands are written in, guesses at a misspelt one, says errors."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        with problems_said():
            return super().invoke(ctx)


@contextmanager
def problems_said() -> Iterator[None]:
    """Turn what our own layers raise about bad input into a message and exit code 2."""
    try:
        yield
    except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
        raise
    except Exception as error:
        told = _bad_input(error)
        if told is None:
            raise
        raise told from None


def _bad_input(error: Exception) -> BadInputError | None:
    """The message for an error about what was given; None for a fault of ours."""
    from .outputs import OutputError
    from .spec.errors import SpecErrors

    if isinstance(error, SpecErrors):
        return BadInputError(str(error), located=True)
    if isinstance(error, OutputError):
        return BadInputError(str(error))
    if isinstance(error, OSError) and error.filename is not None:
        return BadInputError(f"{error.filename}: {error.strerror}")
    return None


def fail(message: str) -> NoReturn:
    """Stop with a message about what was given."""
    raise BadInputError(message)


def note(message: str) -> None:
    """Say something that is not the result: to stderr, and not with --quiet."""
    if not click.get_current_context().meta.get("quiet"):
        click.echo(message, err=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show a moving bar on a terminal once the work has lasted a second."""
    if click.get_current_context().meta.get("quiet") or not sys.stderr.isatty():
        yield
        return
    from threading import Timer

    bars: list[Any] = []

    def begin() -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        bar = Progress(*columns, console=Console(stderr=True), transient=True)
        bar.add_task(what, total=None)
        bar.start()
        bars.append(bar)

    timer = Timer(1.0, begin)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        for bar in bars:
            bar.stop()


def _set_quiet(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    ctx.meta["quiet"] = value or ctx.meta.get("quiet", False)


quiet = click.option(
    "-q", "--quiet", is_flag=True, expose_value=False, callback=_set_quiet, help="Only the result."
)
force_option = click.option(
    "--force", is_flag=True, help="Overwrite a file that was edited or is not modelwright's."
)


def reads_spec(command: Command) -> Command:
    """The argument SPEC and the option --set, for every command that takes one spec."""
    spec = click.argument("spec", type=click.Path(dir_okay=False, path_type=Path))
    return spec(sets_option(command))


def sets_option(command: Command) -> Command:
    return click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change one key, e.g. --set layers=6 --set decoder.positions=alibi. Repeatable.",
    )(command)


def load_spec(path: Path, sets: tuple[str, ...]) -> ModelSpec:
    from .spec import load

    spec = load(path, sets=sets)
    for told in spec.notes:
        note(f"note: {told}")
    for told in spec.warnings:
        note(f"warning: {told}")
    return spec


def load_graph(path: Path, sets: tuple[str, ...]) -> ModuleGraph:
    spec = load_spec(path, sets)
    from .compiler import lower

    return lower(spec)


def put(path: Path | None, data: bytes, *, force: bool, stamped: bool = True) -> None:
    """Write a result to its file, or to stdout for none or `-`."""
    if path is None or str(path) == "-":
        click.echo(data, nl=False)
        return
    from . import outputs

    suffix = path.suffix.lower() if stamped else ""
    outputs.write(
        path,
        outputs.stamp(data, suffix),
        force=force,
        is_ours=lambda there: outputs.is_unedited(there, suffix),
    )
    note(f"wrote {path}")


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with `modelwright new`, and read `modelwright COMMAND --help`.",
)
@click.version_option(__version__, prog_name="modelwright")
@quiet
def cli() -> None:
    """Compile a YAML description of a transformer into a PyTorch file.

    \b
      modelwright new gpt2 -o gpt2.yaml         start from an example
      modelwright check gpt2.yaml               every mistake at once
      modelwright build gpt2.yaml -o gpt2.py    a file that imports torch only
      modelwright inspect gpt2.yaml             weights, FLOPs, memory
      modelwright visualize gpt2.yaml -o gpt2.svg
    """


def example_names() -> list[str]:
    return sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def _complete_example(_ctx: click.Context, _parameter: click.Parameter, start: str) -> list[str]:
    return [name for name in example_names() if name.startswith(start)]


@cli.command()
@click.argument("name", required=False, shell_complete=_complete_example)
@click.option("-o", "--output", type=OUTPUT, help="Where to write it; stdout if not given.")
@force_option
@quiet
def new(name: str | None, output: Path | None, force: bool) -> None:
    """List the example specs, or write one to start from.

    \b
      modelwright new                       the names, one a line
      modelwright new gpt2 > gpt2.yaml
      modelwright new gpt2_xl -o xl.yaml    and gpt2.yaml beside it, which it extends
    """
    if name is None:
        width = max(map(len, example_names()))
        for each in example_names():
            click.echo(f"{each:<{width}}  {example_text(each).partition(chr(10))[0][2:]}")
        return
    name = name.removesuffix(".yaml").replace("-", "_")
    if name not in example_names():
        from .spec.errors import choices

        fail(f"there is no example `{name}`: {choices(name, example_names())}")
    put(output, example_text(name).encode(), force=force, stamped=False)
    for base in example_bases(name):
        if output is None or str(output) == "-":
            note(f"it extends {base}.yaml: modelwright new {base} > {base}.yaml")
        elif not (beside := output.with_name(f"{base}.yaml")).exists():
            put(beside, example_text(base).encode(), force=False, stamped=False)


def example_text(name: str) -> str:
    """The example without its modeline: the schema that it names is not beside the copy."""
    lines = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("# yaml-language-server:"))


def example_bases(name: str) -> Iterator[str]:
    """The examples that this one extends, nearest first."""
    for line in example_text(name).splitlines():
        if line.startswith("extends: "):
            base = line.split()[1].removesuffix(".yaml")
            yield base
            yield from example_bases(base)


@cli.command()
@click.argument("specs", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@sets_option
@quiet
@click.pass_context
def check(ctx: click.Context, specs: tuple[Path, ...], sets: tuple[str, ...]) -> None:
    """Say every mistake at once, with its place and what is right.

    \b
      modelwright check gpt2.yaml
      modelwright check examples/*.yaml --quiet
    """
    failed = False
    for path in specs:
        try:
            with problems_said():
                load_spec(path, sets)
        except BadInputError as error:
            error.show()
            failed = True
        else:
            if not ctx.meta.get("quiet"):
                click.echo(f"{path}: ok")
    if failed:
        ctx.exit(BadInputError.exit_code)


@cli.command()
@reads_spec
@quiet
def show(spec: Path, sets: tuple[str, ...]) -> None:
    """Print the resolved spec, with every default and its origin.

    \b
      modelwright show gpt2.yaml
      modelwright show gpt2.yaml --set positions=alibi
    """
    from .spec import show as shown

    click.echo(shown(load_spec(spec, sets)).rstrip("\n"))


@cli.command()
@reads_spec
@click.option("-o", "--output", required=True, type=OUTPUT, help="The file; `-` is stdout.")
@click.option(
    "--map", "with_map", is_flag=True, help="Write FILE.map.json too: line to op to spec."
)
@click.option(
    "--gradient-checkpointing",
    is_flag=True,
    help="In training, compute each layer's inside again instead of keeping it.",
)
@force_option
@quiet
def build(
    spec: Path,
    sets: tuple[str, ...],
    output: Path,
    with_map: bool,
    gradient_checkpointing: bool,
    force: bool,
) -> None:
    """Write the model as a PyTorch file that imports torch only.

    \b
      modelwright build gpt2.yaml -o gpt2.py
      modelwright build gpt2.yaml -o small.py --set layers=6 --map
      python -c "from gpt2 import Gpt2; print(Gpt2())"

    A file that was edited since it was written is left alone without --force.
    """
    graph = load_graph(spec, sets)
    from . import outputs
    from .backends.pytorch import emit_file, is_ours_unedited

    emitted = emit_file(graph, gradient_checkpointing=gradient_checkpointing)
    if str(output) == "-":
        if with_map:
            fail("--map writes its file beside the output: give one with -o FILE.py")
        click.echo(emitted.text, nl=False)
        return
    outputs.write(
        output,
        emitted.text.encode(),
        force=force,
        is_ours=lambda there: is_ours_unedited(there.decode(errors="replace")),
    )
    note(f"wrote {output}: class {emitted.class_name}")
    if with_map:
        put(output.with_suffix(".map.json"), outputs.json_text(emitted.source_map), force=force)


@cli.command()
@reads_spec
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--sequence", type=click.IntRange(min=1), help="Tokens. [default: max_positions, at most 1024]"
)
@click.option("--dtype", type=click.Choice(DTYPES), default="float32", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as data.")
@click.option("--kernels", is_flag=True, help="Which kernel runs each attention, and why.")
@quiet
def inspect(
    spec: Path,
    sets: tuple[str, ...],
    batch: int,
    sequence: int | None,
    dtype: str,
    as_json: bool,
    kernels: bool,
) -> None:
    """Print weights, FLOPs, memory and cache; allocates nothing.

    \b
      modelwright inspect gpt2.yaml
      modelwright inspect gpt2.yaml --batch 8 --sequence 512 --dtype bfloat16
      modelwright inspect gpt2.yaml --json | jq .weights.total
    """
    graph = load_graph(spec, sets)
    from .compiler.report import report

    for stack, limit in graph.limits.items():
        if sequence is not None and sequence > limit:
            note(f"warning: {sequence} tokens, but max_positions of `{stack}` is {int(limit)}")
    decided = list(graph.lengths.values())
    if sequence is not None and len(decided) == len(graph.spec.stacks):
        raise click.UsageError(f"--sequence: an image has {int(decided[-1])} tokens here")
    made = report(graph, batch=batch, sequence=sequence, dtype=dtype)
    if as_json:
        from .outputs import json_text

        put(None, json_text(made.to_json()), force=False)
        return
    click.echo(made.render().rstrip("\n"))
    if kernels:
        click.echo("\n" + made.kernels().rstrip("\n"))


@cli.command()
@reads_spec
@click.option(
    "-o",
    "--output",
    required=True,
    type=OUTPUT,
    help=f"Its suffix says which: {', '.join(FIGURES)}.",
)
@click.option(
    "--depth",
    type=click.Choice(DEPTHS),
    default="block",
    show_default=True,
    help="Draw what is in a layer, or one box for all layers of a stack.",
)
@force_option
@quiet
def visualize(spec: Path, sets: tuple[str, ...], output: Path, depth: str, force: bool) -> None:
    """Draw the model, each kind of layer once.

    \b
      modelwright visualize gpt2.yaml -o gpt2.svg
      modelwright visualize gpt2.yaml -o gpt2.pdf --depth stack
      modelwright visualize gpt2.yaml -o gpt2.mmd     Mermaid, for Markdown pages
    """
    figure = output.suffix.lower().removeprefix(".")
    if figure not in FIGURES:
        fail(f"{output}: the suffix says what to draw: one of {', '.join(FIGURES)}")
    graph = load_graph(spec, sets)
    from .backends.diagram import DrawError, draw

    try:
        drawn = draw(graph, format=figure, depth=depth)
    except DrawError as error:
        fail(str(error))
    put(output, drawn, force=force)


@cli.command()
@click.option("-o", "--output", type=OUTPUT, help="Where to write it; stdout if not given.")
@click.option("--markdown", is_flag=True, help="The reference of the language instead.")
@force_option
@quiet
def schema(output: Path | None, markdown: bool, force: bool) -> None:
    """Print the JSON Schema of the language, for editors.

    \b
      modelwright schema -o schema.json

    and as the first line of a spec

    \b
      # yaml-language-server: $schema=schema.json
    """
    from .outputs import json_text
    from .spec import json_schema, language_reference

    if markdown:
        put(output, language_reference().encode(), force=force, stamped=False)
    else:
        put(output, json_text(json_schema()), force=force)


@cli.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", type=OUTPUT, help="Where to write it; stdout if not given.")
@click.option("--weights", type=OUTPUT, help="Write its weights too, under their logical names.")
@force_option
@quiet
def import_(folder: Path, output: Path | None, weights: Path | None, force: bool) -> None:
    """Write the spec of a Hugging Face model folder (config.json).

    \b
      modelwright import all-MiniLM-L6-v2 -o minilm.yaml --weights minilm.safetensors

    `modelwright.from_pretrained(FOLDER)` gives the compiled model with its weights.
    """
    from .backends.huggingface import CheckpointError, import_folder, import_weights

    if weights is not None and weights.exists() and not force:
        fail(f"{weights} exists; --force replaces it")
    try:
        text = import_folder(folder)
        if weights is not None:
            with working("reading and writing the weights"):
                import_weights(folder, weights)
    except CheckpointError as error:
        fail(str(error))
    put(output, text.encode(), force=force)


@cli.command()
@reads_spec
@click.option(
    "--weights", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--tokenizer", required=True, help="A tokenizer.json, or `bytes`: a token is a byte.")
@click.option("--prompt", required=True, help="The text to go on from; `-` reads stdin.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=64, show_default=True)
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="0 takes the likeliest token.",
)
@click.option("--top-k", type=click.IntRange(min=1))
@click.option("--top-p", type=click.FloatRange(min=0, max=1, min_open=True))
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", help="cpu, cuda, … [default: cuda where there is one]")
@click.option("--dtype", type=click.Choice(DTYPES))
@quiet
def generate(
    spec: Path,
    sets: tuple[str, ...],
    weights: Path,
    tokenizer: str,
    prompt: str,
    seed: int,
    device: str | None,
    dtype: str | None,
    **sampling: Any,
) -> None:
    """Go on from a prompt with a model and its weights.

    \b
      modelwright generate gpt2.yaml --weights gpt2.safetensors --tokenizer tokenizer.json \\
          --prompt "The house stands" --max-new-tokens 40 --top-p 0.9 --seed 1
    """
    graph = load_graph(spec, sets)
    from .prompting import PromptError, go_on, read_model, read_tokens

    try:
        tokens = read_tokens(tokenizer)
        with working("reading weights"):
            model = read_model(graph, weights, device=device, dtype=dtype)
        with working("generating"):
            text = sys.stdin.read() if prompt == "-" else prompt
            made = go_on(model, tokens, text, seed=seed, **sampling)
    except PromptError as error:
        fail(str(error))
    click.echo(made)


@cli.command()
@reads_spec
@click.option(
    "--weights", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--to", type=click.Choice(("huggingface",)), default="huggingface", show_default=True)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder. It is moved into place when it is whole.",
)
@click.option("--custom-code", is_flag=True, help="With the file that `build` writes, always.")
@click.option("--force", is_flag=True, help="Replace a folder that was exported before.")
@quiet
def export(
    spec: Path,
    sets: tuple[str, ...],
    weights: Path,
    to: str,
    output: Path,
    custom_code: bool,
    force: bool,
) -> None:
    """Write a model and its weights as a folder that Hugging Face's tools read.

    \b
      modelwright export my.yaml --weights my.safetensors -o my-model
      AutoModelForCausalLM.from_pretrained("my-model", trust_remote_code=True)

    A spec that is an architecture of `transformers` becomes a folder of that class, without code.
    For any other it holds the file that `build` writes, and two that make it a `PreTrainedModel`.
    """
    graph = load_graph(spec, sets)
    from .backends.huggingface import ExportError
    from .backends.huggingface import export as written
    from .backends.huggingface.native import find_native
    from .backends.pytorch import WeightsError
    from .prompting import shortened

    try:
        with working("writing"):
            written(graph, weights, output, to=to, custom_code=custom_code, force=force)
    except (ExportError, WeightsError) as error:
        fail(shortened(str(error)))
    native = None if custom_code else find_native(graph.spec)
    note(f"wrote {output}, a {native.class_name}" if native else f"wrote {output}, with its code")


@cli.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print the script that completes commands in your shell.

    \b
      eval "$(modelwright completion bash)"     in ~/.bashrc
      eval "$(modelwright completion zsh)"      in ~/.zshrc
      modelwright completion fish > ~/.config/fish/completions/modelwright.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        fail(f"{shell} is not a shell that can be completed")
    click.echo(made(cli, {}, "modelwright", "_MODELWRIGHT_COMPLETE").source())


def main() -> None:
    """The console script `modelwright`."""
    cli(prog_name="modelwright")
