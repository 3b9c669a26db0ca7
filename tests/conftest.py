"""Shared by all tests: threads, the GPU marker, golden files, the examples."""

from __future__ import annotations

import inspect
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import click.testing
import pytest
from hypothesis import HealthCheck, settings

# Several workers share the cores; one thread each is fastest. Before torch or numpy is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

# The same cases each time, however long one takes: nothing depends on the clock.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


# click before 8.2 mixes stderr into stdout unless it is told not to.
if "mix_stderr" in inspect.signature(click.testing.CliRunner).parameters:
    click.testing.CliRunner.__init__.__defaults__ = ("utf-8", None, False, False)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-golden", action="store_true", help="write the golden files instead of comparing"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mark_what_is_not_sampled(items)
    if config.getoption("--write-golden"):
        items[:] = [item for item in items if "golden" in getattr(item, "fixturenames", ())]
    marked = [item for item in items if "gpu" in item.keywords]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs CUDA, and there is none here"))


def mark_what_is_not_sampled(items: list[pytest.Item]) -> None:
    """Of a test marked `sampled(n)`, about one case in n is quick; the others are slow.

    The names of test and case decide: the same ones run each time, a new case moves no other, and
    what one test leaves out another takes.
    """
    for item in items:
        mark = item.get_closest_marker("sampled")
        if mark and crc32(item.name.encode()) % mark.args[0]:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """A test that draws numbers draws the same ones, whichever tests ran before it."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository, which is the package."""
    return ROOT


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of example specs."""
    return ROOT / "examples"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """`golden(path, text)` compares text with a file, byte for byte; --write-golden writes it."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--write-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"{path.name} is missing: run `make golden` and read the diff"
        expected = path.read_text(encoding="utf-8")
        assert text == expected, f"{path.name} differs: `make golden` writes it; read the diff"

    return compare


@pytest.fixture(scope="session")
def code_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`transformers` keeps the code of the folders that it loads here, and not at the user's."""
    loader = pytest.importorskip("transformers.dynamic_module_utils")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loader, "HF_MODULES_CACHE", str(tmp_path_factory.mktemp("modules")))
        yield
