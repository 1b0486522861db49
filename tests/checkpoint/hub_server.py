"""A hub of our own on 127.0.0.1, that answers like huggingface.co and can be made to misbehave."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import huggingface_hub
import pytest
from huggingface_hub import constants

BLOCK = 16 << 10  # bytes that the server sends at a time


@dataclass
class Repo:
    """What the server knows of a repo: files by revision, each revision being a commit."""

    commits: dict[str, str]
    files: dict[str, dict[str, bytes]]
    gated: bool = False


@dataclass(frozen=True)
class Request:
    """One that the server saw."""

    method: str
    path: str
    range: str | None
    token: str | None


@dataclass
class Hub:
    """The server's state: what it holds, what it saw, what is wrong with it."""

    cache: Path
    port: int = 0
    repos: dict[str, Repo] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    cut_at: list[int] = field(default_factory=list)
    """For each of the next downloads: after how many bytes its connection breaks."""
    hold_at: int | None = None
    """Downloads stop after so many bytes until `go` is set."""
    go: threading.Event = field(default_factory=threading.Event)
    ranges: bool = True
    """Whether it knows Range."""
    spoil: bool = False
    """Whether it sends other bytes than it announced."""
    status: int | None = None
    """Answer everything with this."""
    login_page: bool = False
    """Answer everything with a page, as a hotel's network does."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(
        self, name: str, files: Mapping[str, bytes], revision: str = "main", *, gated: bool = False
    ) -> str:
        """Put a revision into a repo; returns its commit."""
        contents = sorted((file, _sha256(data)) for file, data in files.items())
        commit = hashlib.sha1(repr((name, revision, contents)).encode()).hexdigest()
        repo = self.repos.setdefault(name, Repo({}, {}, gated))
        repo.commits[revision] = repo.commits[commit] = commit
        repo.files[commit] = dict(files)
        return commit

    def downloads(self) -> list[Request]:
        """The requests for the bytes of large files."""
        return [seen for seen in self.requests if seen.path.startswith("/cdn/")]


@lru_cache(maxsize=64)
def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A running hub which is the only one that huggingface_hub knows, with an empty cache.

    For a fixture: `yield from serve(tmp_path, monkeypatch)`.
    """
    hub = Hub(tmp_path / "hub")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.port = server.server_address[1]
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("HF_HUB_CACHE", str(hub.cache))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub.cache))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(tmp_path / "tokens"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("moshi_tui.checkpoint.transfer.RETRY_WAIT", 0.0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    huggingface_hub.close_session()
    try:
        yield hub
    finally:
        hub.go.set()
        huggingface_hub.close_session()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        hub = self.hub
        hub.requests.append(
            Request(
                self.command, path, self.headers.get("Range"), self.headers.get("Authorization")
            )
        )
        if hub.status is not None:
            self._refuse(hub.status)
        elif hub.login_page:
            self._send(HTTPStatus.OK, b"<html>Welcome to our hotel", {})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+?)(?:/revision/(.+))?", path):
            self._api(found[1], found[2] or "main")
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(found[1], found[2], found[3])
        elif found := re.fullmatch(r"/cdn/(\w+)", path):
            self._cdn(found[1])
        else:
            self._refuse(404)

    def _api(self, name: str, revision: str) -> None:
        repo = self._repo(name, revision)
        if repo is not None:
            commit = repo.commits[revision]
            siblings = [{"rfilename": file} for file in repo.files[commit]]
            body = {"_id": "1", "id": name, "modelId": name, "sha": commit, "siblings": siblings}
            self._send(HTTPStatus.OK, json.dumps(body).encode(), {})

    def _resolve(self, name: str, revision: str, file: str) -> None:
        repo = self._repo(name, revision)
        if repo is None:
            return
        commit = repo.commits[revision]
        if repo.gated and self.headers.get("Authorization") is None:
            self._refuse(401, "GatedRepo")
        elif file not in repo.files[commit]:
            self._refuse(404, "EntryNotFound", {"X-Repo-Commit": commit})
        else:
            data = repo.files[commit][file]
            about = {"X-Repo-Commit": commit, "X-HF-Warning": "test; the library logs this"}
            if file.endswith(".json"):
                etag = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
                self._send(HTTPStatus.OK, data, {**about, "ETag": f'"{etag}"'})
                return
            sha256 = _sha256(data)
            about |= {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(data))}
            # Another host, as on the real hub: no token may go there.
            about["Location"] = f"http://localhost:{self.hub.port}/cdn/{sha256}"
            self._send(HTTPStatus.FOUND, b"", about)

    def _repo(self, name: str, revision: str) -> Repo | None:
        repo = self.hub.repos.get(name)
        if repo is None:
            self._refuse(401, "RepoNotFound")
        elif revision not in repo.commits:
            self._refuse(404, "RevisionNotFound")
        else:
            return repo
        return None

    def _cdn(self, sha256: str) -> None:
        everything = [
            data
            for repo in self.hub.repos.values()
            for files in repo.files.values()
            for data in files.values()
        ]
        data = next(data for data in everything if _sha256(data) == sha256)
        if self.hub.spoil:
            data = bytes(len(data))
        start, wanted = 0, self.headers.get("Range")
        if wanted and self.hub.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        status = HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", f'"{sha256}"')
        self.end_headers()
        limit = self.hub.cut_at.pop(0) if self.hub.cut_at else None
        sent = 0
        try:
            for at in range(start, len(data), BLOCK):
                if limit is not None and sent >= limit:
                    self.close_connection = True
                    return
                if self.hub.hold_at is not None and sent >= self.hub.hold_at:
                    self.hub.go.wait()
                self.wfile.write(data[at : at + BLOCK])
                sent += BLOCK
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has gone

    def _refuse(self, status: int, code: str = "", more: Mapping[str, str] | None = None) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": code} if code else {}
        self._send(HTTPStatus(status), b"no", {**headers, **(more or {})})

    def _send(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
