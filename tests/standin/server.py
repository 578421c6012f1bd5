"""A small HTTP server on loopback that speaks as much of the hub's protocol as the libraries ask for.

It answers for repositories that are made when they are first asked for, keeps a log of what was asked, and lets a
test put faults between a request and its answer.
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".parquet", ".json.gz")  # kept by hash, as the hub keeps what is too large for git
CHUNK = 2**14
PATHS = (
    re.compile(
        r"/api/(?P<kind>models|datasets)/(?P<id>[^/]+/[^/]+)(/(?P<what>revision|tree|paths-info)/(?P<rest>.+))?"
    ),
    re.compile(r"/((?P<kind>datasets)/)?(?P<id>[^/]+/[^/]+)/(?P<what>resolve)/(?P<rest>.+)"),
)


def commit(repository: str, revision: str) -> str:
    """The commit that a branch or tag of a repository points to; a commit stays as it is."""
    known = re.fullmatch("[0-9a-f]{40}", revision)
    return revision if known else hashlib.sha1(f"{repository}@{revision}".encode(), usedforsecurity=False).hexdigest()


class Repository(NamedTuple):
    """The files of each revision by path, made when they are first asked for."""

    revisions: dict[str, Callable[[], dict[str, bytes]]]
    gated: bool = False


class Asked(NamedTuple):
    """One request: what for, and how it was answered."""

    method: str
    kind: str
    id: str
    what: str
    revision: str
    file: str
    status: int


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None  # bytes of the body, and then the connection is closed
    pause: float = 0.0  # seconds before each chunk of the body


def refusal(status: int, code: str, message: str, **headers: str) -> Answer:
    return Answer(status, {"X-Error-Code": code, "X-Error-Message": message, **headers}, message.encode())


class Hub:
    """Repositories by ("models" or "datasets", id), the log, and the faults: functions of a request and its answer."""

    def __init__(self, repositories: dict[tuple[str, str], Repository]):
        self.repositories = repositories
        self.log: list[Asked] = []
        self.faults: list[Callable[[Asked, Answer], Answer]] = []
        self._files: dict[tuple, dict[str, bytes]] = {}
        self._lock = threading.Lock()

    def answer(self, method: str, url: str, headers, posted: bytes) -> Answer:
        path = unquote(urlsplit(url).path)
        found = next(filter(None, (pattern.fullmatch(path) for pattern in PATHS)), None)
        if found is None:
            asked, answer = Asked(method, "", "", path, "", "", 0), refusal(404, "NotFound", "No such page")
        else:
            kind, name, what = found["kind"] or "models", found["id"], found["what"] or "revision"
            revision, file = self._parted(kind, name, what, found["rest"] or "main")
            asked = Asked(method, kind, name, what, revision, file, 0)
            answer = self._of_repository(asked, posted)
        if method == "GET" and what_is_sent(headers, answer):
            answer = part(answer, headers["Range"])
        for fault in self.faults:
            answer = fault(asked, answer)
        with self._lock:
            self.log.append(asked._replace(status=answer.status))
        return answer

    def _parted(self, kind: str, name: str, what: str, rest: str) -> tuple[str, str]:
        """Revision and path: the longest revision that is known, for a name may have slashes."""
        repository = self.repositories.get((kind, name))
        known = [r for r in (repository.revisions if repository else ()) if rest == r or rest.startswith(f"{r}/")]
        revision = max(known, key=len, default=rest.partition("/")[0])
        return revision, rest[len(revision) + 1 :]

    def _of_repository(self, asked: Asked, posted: bytes) -> Answer:
        repository = self.repositories.get((asked.kind, asked.id))
        if repository is None:
            return refusal(401, "RepoNotFound", "Invalid username or password.")
        commits = {commit(asked.id, name): name for name in repository.revisions}
        name = commits.get(asked.revision, asked.revision)
        if name not in repository.revisions:
            return refusal(404, "RevisionNotFound", f"Invalid rev id: {asked.revision}")
        with self._lock:
            key = (asked.kind, asked.id, name)
            if key not in self._files:
                self._files[key] = repository.revisions[name]()
            files = self._files[key]
        sha = commit(asked.id, name)
        if asked.what == "revision":
            return page(about(asked, sha, files, repository.gated))
        if asked.what == "tree":
            return page(listed(files, asked.file)) if asked.file in ("", *folders(files)) else absent(sha)
        if asked.what == "paths-info":
            return page(of_paths(files, posted))
        return content(files[asked.file], asked.file, sha) if asked.file in files else absent(sha)

    def downloads(self) -> list[Asked]:
        """The requests that brought the content of a file."""
        return [asked for asked in self.log if asked.method == "GET" and asked.what == "resolve" and asked.status < 300]


def absent(sha: str) -> Answer:
    return refusal(404, "EntryNotFound", "Entry not found", **{"X-Repo-Commit": sha})


def page(content: object) -> Answer:
    return Answer(200, {"Content-Type": "application/json"}, json.dumps(content).encode())


def content(data: bytes, file: str, sha: str) -> Answer:
    tag = f'"{digest(data, file)}"'
    linked = {"X-Linked-Etag": tag, "X-Linked-Size": str(len(data))} if file.endswith(LARGE) else {}
    return Answer(200, {"ETag": tag, "X-Repo-Commit": sha, "Accept-Ranges": "bytes", **linked}, data)


def digest(data: bytes, file: str) -> str:
    """The SHA-256 of a large file, the hash that git gives a blob of any other."""
    if file.endswith(LARGE):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


def what_is_sent(headers, answer: Answer) -> bool:
    """Whether a part of a file is asked for."""
    return "Range" in headers and "ETag" in answer.headers


def part(answer: Answer, asked: str) -> Answer:
    """The bytes of a file that the header `Range` asks for."""
    first, last = re.fullmatch(r"bytes=(\d*)-(\d*)", asked).groups()
    whole = len(answer.body)
    begin = int(first) if first else whole - int(last)
    end = min(int(last) + 1, whole) if first and last else whole
    headers = answer.headers | {"Content-Range": f"bytes {begin}-{end - 1}/{whole}"}
    return replace(answer, status=206, headers=headers, body=answer.body[begin:end])


def about(asked: Asked, sha: str, files: dict[str, bytes], gated: bool) -> dict:
    siblings = [{"rfilename": file} for file in sorted(files)]
    common = {"id": asked.id, "sha": sha, "private": False, "disabled": False, "downloads": 0, "likes": 0}
    return common | {"gated": "manual" if gated else False, "tags": [], "siblings": siblings}


def folders(files: dict[str, bytes]) -> set[str]:
    return {"/".join(file.split("/")[:depth]) for file in files for depth in range(1, file.count("/") + 1)}


def listed(files: dict[str, bytes], folder: str) -> list[dict]:
    """Everything below a folder, folders included; a caller that wants one level leaves the rest."""
    inside = f"{folder}/" if folder else ""
    found = [{"type": "directory", "path": f, "oid": "0" * 40, "size": 0} for f in sorted(folders(files))]
    found += [entry(file, data) for file, data in sorted(files.items())]
    return [item for item in found if item["path"].startswith(inside)]


def entry(file: str, data: bytes) -> dict:
    oid, size = digest(data, file), len(data)
    lfs = {"lfs": {"oid": oid, "size": size, "pointerSize": 134}} if file.endswith(LARGE) else {}
    return {"type": "file", "path": file, "oid": oid[:40], "size": size, **lfs}


def of_paths(files: dict[str, bytes], posted: bytes) -> list[dict]:
    wanted = json.loads(posted)["paths"] if posted.startswith(b"{") else []
    known = folders(files)
    found = [entry(file, files[file]) for file in wanted if file in files]
    return found + [{"type": "directory", "path": f, "oid": "0" * 40, "size": 0} for f in wanted if f in known]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def _reply(self) -> None:
        posted = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.hub.answer(self.command, self.path, self.headers, posted)
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        body = answer.body if answer.cut_after is None else answer.body[: answer.cut_after]
        for start in range(0, len(body), CHUNK):
            time.sleep(answer.pause)
            self.wfile.write(body[start : start + CHUNK])
        self.close_connection = self.close_connection or answer.cut_after is not None

    do_GET = do_HEAD = do_POST = _reply

    def log_message(self, *_) -> None:
        """The hub has a log of its own."""


@contextmanager
def serving(hub: Hub):
    """The address of the hub, while it serves."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
