"""The server: its answers, and the requests that it refuses."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from explore_server import EXAMPLES, SMALL, Serve

pytest.importorskip("starlette", reason="needs the extra `explore`")

from click.testing import CliRunner

from modelwright.cli import cli
from modelwright.explorer import page_files
from modelwright.explorer.guard import LONGEST_BODY
from modelwright.explorer.page_files import PageMissingError
from modelwright.explorer.server import Queue, application
from modelwright.explorer.settings import Settings

PAGE = '<script type="module" src="page.js" nonce="{nonce}"></script>'
FIGURE = {"ask": "figure", "text": SMALL}


@pytest.fixture(scope="module", autouse=True)
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A built page, whether or not there is one; beside it a file that is not served."""
    folder = tmp_path_factory.mktemp("bundle")
    for name, text in {
        "index.html": PAGE,
        "page.js": "//",
        "page.css": "a{}",
        "x.txt": "x",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_files, "BUNDLE", folder)
        yield folder


# -- what it answers


def test_it_answers_questions(serve: Serve) -> None:
    served = serve()
    status, said = served.post("/api/answer", FIGURE)
    assert status == 200
    assert said["class"] == "Small"
    status, start = served.post("/api/start", {})
    assert status == 200
    assert set(start["examples"]) == {path.stem for path in EXAMPLES.glob("*.yaml")}
    assert start["file"] is None
    assert "yaml-language-server" not in start["examples"]["gpt2"]


def test_extends_reads_the_folder_of_the_examples_or_of_the_spec(
    serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "base.yaml").write_text(SMALL, encoding="utf-8")
    spec = tmp_path / "mine.yaml"
    spec.write_text("name: mine\nextends: base.yaml\n", encoding="utf-8")
    served = serve(spec=spec)
    asked = {"ask": "figure", "text": spec.read_text(encoding="utf-8"), "name": "mine.yaml"}
    assert served.post("/api/answer", {**asked, "folder": "spec"})[1]["class"] == "Mine"
    assert "svg" not in served.post("/api/answer", {**asked, "folder": "examples"})[1]
    assert "svg" not in served.post("/api/answer", {**asked, "folder": str(tmp_path)})[1]


def test_a_changed_file_is_reported(serve: Serve, tmp_path: Path) -> None:
    spec = tmp_path / "mine.yaml"
    spec.write_text(SMALL, encoding="utf-8")
    served = serve(spec=spec, watch=True)
    digest = served.post("/api/start", {})[1]["file"]["digest"]
    same = {"file": None}
    assert served.post("/api/file", {"digest": digest}) == (200, same | {"readable": True})
    spec.write_text(SMALL.replace("small", "changed"), encoding="utf-8")
    assert "changed" in served.post("/api/file", {"digest": digest})[1]["file"]["text"]
    spec.unlink()
    assert served.post("/api/file", {"digest": digest}) == (200, same | {"readable": False})
    assert serve(spec=spec).post("/api/file", {"digest": digest})[0] == 400


def test_only_the_last_question_of_a_page_is_answered() -> None:
    queue, found = Queue(), {}

    def ask(page: str, kind: str, number: int) -> None:
        with queue.turn(page, kind, number) as is_last:
            found[page, kind, number] = is_last

    questions = [("a", "figure", 2), ("a", "figure", 3), ("a", "code", 1), ("b", "figure", 1)]
    with queue.turn("a", "figure", 1) as first:
        waiting = [threading.Thread(target=ask, args=each) for each in questions]
        for thread in waiting:
            thread.start()
        while queue._newest.keys() != {each[:2] for each in questions} or (
            queue._newest["a", "figure"] < 3
        ):
            pass
    for thread in waiting:
        thread.join()
    assert first
    assert not found["a", "figure", 2]
    assert found["a", "figure", 3] and found["a", "code", 1] and found["b", "figure", 1]  # noqa: PT018


# -- whom it refuses: a row of docs/explore.md each


def test_it_listens_at_this_machine_alone() -> None:
    assert Settings().host == "127.0.0.1"
    assert Settings().is_local
    assert not Settings(host="0.0.0.0").is_local
    assert not Settings(host="example.org").is_local


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("[::1]:{port}", 200),
        ("localhost", 403),  # port 80
        ("127.0.0.1:1", 403),
        ("evil.test:{port}", 403),
        ("evil.test", 403),
        ("127.0.0.1.evil.test", 403),
        ("localhost.evil.test", 403),
        ("192.168.1.2:{port}", 403),
        ("user@evil.test", 403),
        ("[::1", 403),
        ("ｌocalhost".encode().decode("latin-1"), 403),
        ("", 403),
    ],
)
def test_names_that_others_point_at_this_machine_are_refused(
    serve: Serve, host: str, status: int
) -> None:
    served = serve()
    written = host.format(port=served.port)
    for method, path in (("GET", "/"), ("POST", "/api/start")):
        assert served.ask(method, path, b"{}", {"Host": written})[0] == status


def test_a_host_that_was_given_may_be_named(serve: Serve) -> None:
    served = serve(host="studio.test", token="a secret of one's own")
    assert served.ask("GET", "/", headers={"Host": "studio.test:80"})[0] == 200
    assert served.ask("GET", "/", headers={"Host": "other.test"})[0] == 403
    served = serve(host="0.0.0.0", token="a secret of one's own")
    assert served.ask("GET", "/", headers={"Host": "192.168.1.2"})[0] == 200
    assert served.ask("GET", "/", headers={"Host": "other.test"})[0] == 403


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:{port}", 200),
        (None, 200),
        ("http://127.0.0.1:1", 403),
        ("https://127.0.0.1:{port}", 403),
        ("http://evil.test", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_questions_of_other_origins_are_refused(
    serve: Serve, origin: str | None, status: int
) -> None:
    served = serve()
    written = None if origin is None else origin.format(port=served.port)
    assert served.post("/api/answer", FIGURE, Origin=written)[0] == status


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("same-site", 403), ("cross-site", 403)]
)
def test_requests_of_other_sites_are_refused(serve: Serve, site: str, status: int) -> None:
    served = serve()
    assert served.post("/api/answer", FIGURE, Sec_Fetch_Site=site)[0] == status
    assert served.ask("GET", "/page.js", headers={"Sec-Fetch-Site": site})[0] == status


def test_a_link_of_another_site_opens_the_page(serve: Serve) -> None:
    """As a document; not in a frame, and no script by itself."""
    served = serve()
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert served.ask("GET", "/", headers={**link, "Sec-Fetch-Dest": "document"})[0] == 200
    assert served.ask("GET", "/", headers={**link, "Sec-Fetch-Dest": "iframe"})[0] == 403
    script = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert served.ask("GET", "/", headers={**script, "Sec-Fetch-Dest": "script"})[0] == 403


@pytest.mark.parametrize("path", ["/api/start", "/api/answer", "/api/file"])
def test_questions_need_the_token(serve: Serve, path: str) -> None:
    served = serve()
    for token in (None, "", "wrong", served.token[:-1], served.token + "x", "ä"):
        status, said = served.post(path, FIGURE, X_Modelwright_Token=token)
        assert status == 403
        assert said == {"error": "wrong token; open the address that `modelwright explore` printed"}


def test_tokens_are_new_and_no_page_has_them(serve: Serve) -> None:
    served = serve()
    assert len({Settings().token for _ in range(10)}) == 10
    assert len(served.token) >= 32
    for path in ("/", "/page.js", "/page.css"):
        assert served.token.encode() not in served.ask("GET", path)[2]


def test_forms_of_other_pages_cannot_ask(serve: Serve) -> None:
    """A form sends neither JSON nor a header of its own."""
    served = serve()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
        assert served.post("/api/answer", FIGURE, Content_Type=kind)[0] == 415
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        assert served.ask(method, "/api/answer")[0] == 405


def test_long_bodies_are_refused(serve: Serve) -> None:
    served = serve()
    long = b'{"ask": "figure", "text": "' + b"x" * LONGEST_BODY + b'"}'
    assert served.ask("POST", "/api/answer", long)[0] == 413
    for length in (str(10**12), "-1", "many", "1e9"):
        assert served.ask("POST", "/api/answer", headers={"Content-Length": length})[0] in (
            400,
            413,
        )
    parts = {"Content-Length": None, "Transfer-Encoding": "chunked"}
    chunks = b"".join(b"8000\r\n" + b"x" * 0x8000 + b"\r\n" for _ in range(12)) + b"0\r\n\r\n"
    assert served.ask("POST", "/api/answer", chunks, parts)[0] == 413
    assert served.post("/api/answer", FIGURE)[0] == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"1", b"\xff", b"[" * 100_000, b'{"ask": 1}'])
def test_invalid_questions_are_refused(serve: Serve, body: bytes) -> None:
    status, _, said = serve().ask("POST", "/api/answer", body)
    assert status == 400
    assert json.loads(said)["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/x.txt",
        "/index.html",
        "/../bundle/x.txt",
        "/%2e%2e/x.txt",
        "/..%2fx.txt",
        "//x.txt",
        "/page.js/",
        "/page.js%00",
        "/bundle/x.txt",
        "/api",
        "/api/nothing",
        "/etc/passwd",
    ],
)
def test_only_listed_files_are_served(serve: Serve, path: str) -> None:
    status, _, content = serve().ask("GET", path)
    assert status in (404, 307)
    assert content != b"x"


def test_the_page_may_run_its_own_script_alone(serve: Serve) -> None:
    served = serve()
    _, headers, page = served.ask("GET", "/")
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert "unsafe" not in headers["content-security-policy"]
    assert policy["default-src"] == "'none'"
    (nonce,) = set(re.findall(r'nonce="([^"]+)"', page.decode()))
    assert policy["script-src"] == policy["style-src"] == f"'nonce-{nonce}'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert nonce not in served.ask("GET", "/")[2].decode()


def test_every_answer_has_the_headers_that_protect_it(serve: Serve) -> None:
    served = serve()
    asked = [("GET", "/"), ("GET", "/page.js"), ("GET", "/none"), ("POST", "/api/start")]
    asked += [("POST", "/api/answer"), ("PUT", "/")]
    for method, path in asked:
        for host in (f"127.0.0.1:{served.port}", "evil.test"):
            _, headers, _ = served.ask(method, path, b"{}", {"Host": host})
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"
            assert headers["cross-origin-opener-policy"] == "same-origin"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "access-control-allow-origin" not in headers
            assert "modelwright" not in headers.get("server", "")


def test_a_spec_cannot_put_a_script_into_the_page(serve: Serve) -> None:
    text = SMALL + "description: '<script>alert(1)</script><img src=x onerror=alert(1)>'\n"
    _, said = serve().post("/api/answer", {"ask": "figure", "text": text})
    assert "<script" not in said["svg"]
    assert "onerror" not in said["svg"]


def test_no_weights_can_be_named(serve: Serve) -> None:
    served = serve()
    for key in ("weights", "path", "file", "command"):
        assert served.post("/api/answer", {**FIGURE, key: "/etc/passwd"})[0] == 400


# -- the command


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0 lets other machines in; it needs --token"),
        (["--host", "example.org"], "lets other machines in; it needs --token"),
        (["--token", "short"], "--token must have at least 16 characters"),
        (["--watch"], "--watch has no effect without SPEC"),
        (["none.yaml"], "none.yaml: No such file or directory"),
        (["-"], "SPEC must be a file"),
        (["--port", "70000"], "not in the range"),
    ],
)
def test_bad_options_are_errors(words: list[str], message: str) -> None:
    done = CliRunner().invoke(cli, ["explore", "--no-browser", *words])
    assert done.exit_code == 2
    assert message in done.stderr
    assert not done.stdout


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(cli, ["explore", "--no-browser", "--port", str(port)])
    assert done.exit_code == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr


def test_a_page_that_is_not_built_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("index.html", "page.css"):
        (tmp_path / name).write_text(PAGE, encoding="utf-8")
    monkeypatch.setattr(page_files, "BUNDLE", tmp_path)
    with pytest.raises(PageMissingError, match=r"page\.js missing.*run `make explore`"):
        application(Settings())
