"""The profiles gpu and paper from start to end, against a hub on loopback: `nox -s rehearsal -- --help`

The package, its notebooks and its book are copied to build/rehearsal, where `overlay.toml` cuts sizes and steps and the
table of models has the sizes that the hub serves. At the end every id and revision that the profiles name must have
been asked for, nothing else, and no file twice; every record of a run names the commits that it is of.
"""

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import transformers
from standin import data, models, server

from decondense.base.files import cache_dir, repository_root
from decondense.base.hub import COMMIT
from decondense.book import cells, profiles
from decondense.chapters.fig4.course import REVISIONS
from decondense.chapters.posttraining import problems
from decondense.corpora import ORIGINS
from decondense.evaluate import benchmarks
from decondense.models import catalogue, memory

OLMO = "allenai/Olmo-3-1025-7B"
PROFILES = ("gpu", "paper")
COPIED = ("src", "notebooks", "book")
UNTRAINED = ("UNTRAINED", "PREDICTED", "SHAPES", "SHAPE", "FORECAST", "REPEATED")  # of these the architecture is enough


def cut(value: object, size: object) -> object:
    """A parameter with another size, as overlay.toml explains."""
    if isinstance(value, dict):
        within = size if isinstance(size, dict) else dict.fromkeys(value, size)
        return {key: cut(of_it, within[key]) if key in within else of_it for key, of_it in value.items()}
    if isinstance(size, dict):
        return value
    if isinstance(value, list) and value and isinstance(value[0], list):
        return [cut(of_it, size) for of_it in value]
    return value[:size] if isinstance(value, list) and isinstance(size, int) else size


def defaults(notebook: Path) -> dict[str, object]:
    """The values of a notebook's `parameters` cell."""
    cell = next(cell for cell in cells.read(notebook) if "parameters" in cell["metadata"].get("tags", []))
    tree = ast.parse(cell["source"]).body
    return {node.targets[0].id: ast.literal_eval(node.value) for node in tree if isinstance(node, ast.Assign)}


def cut_profile(table: dict[str, dict], notebooks: dict[str, Path], sizes: dict) -> dict[str, dict]:
    """A profile's tables, with what `sizes` names cut, also where the notebook's own value would hold."""
    made = {"all": table["all"]}
    for name, own in table.items():
        if name != "all":
            given = defaults(notebooks[name]) | own
            made[name] = own | {key: cut(given[key], size) for key, size in sizes.items() if key in given}
    return made


def toml(value: object) -> str:
    """A value as it is written in TOML, on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(of_it)}" for key, of_it in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value) if isinstance(value, str | bool) else repr(value)


def written(tables: dict[str, dict]) -> str:
    """A file of tables of values."""
    lines = []
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{json.dumps(key)} = {toml(value)}" for key, value in table.items()), ""]
    return "\n".join(lines)


def small_families() -> dict[str, dict]:
    """The table of models with the sizes that are served."""
    made = {}
    for name, entry in catalogue.table().items():
        found = dict(entry)
        if "architecture" in entry:
            found |= models.shape(name)
            config = getattr(transformers, found["architecture"])(**found["config"])
            kind = transformers.AutoModel if "architectures" in found["config"] else None
            found["parameters"] = memory.count(config, kind)
        made[json.dumps(name)] = found
    return made


def prepare(root: Path, place: Path) -> None:
    """A copy of the repository in which the profiles gpu and paper are small; committed records come along."""
    shutil.rmtree(place, ignore_errors=True)
    leave = shutil.ignore_patterns("__pycache__", "_build")
    for folder in COPIED:
        shutil.copytree(root / folder, place / folder, ignore=leave)
    for file in (p for p in root.iterdir() if p.is_file()):
        shutil.copy2(file, place)
    if (texts := cache_dir() / "corpora").is_dir():  # of this machine's documentation: extracted on all cores
        shutil.copytree(texts, place / "cache" / texts.name)
    notebooks = {profiles.notebook_id(path): path for path in (root / "notebooks").glob("*.ipynb")}
    sizes = tomllib.loads((Path(__file__).parent / "overlay.toml").read_text(encoding="utf-8"))
    file = place / "src" / "decondense" / "book" / "profiles.toml"
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    for profile in PROFILES:
        tables[profile] = cut_profile(tables[profile], notebooks, sizes)
    file.write_text(written(tables), encoding="utf-8")
    (place / "src" / "decondense" / "models" / "families.toml").write_text(written(small_families()), encoding="utf-8")


def strings(value: object) -> Iterator[str]:
    """All strings in a parameter, those that are keys included."""
    if isinstance(value, str):
        yield value
    for of_it in [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from strings(of_it)


def named(profile: str, pages: dict[str, Path]) -> set[tuple[str, str, str]]:
    """Kind, id and revision of all that these pages name in a profile; code of the hub is never asked for."""
    found = set()
    for page, path in pages.items():
        given = defaults(path) | profiles.parameters(profile, page)
        names = {name for key, value in given.items() if key not in UNTRAINED for name in strings(value)}
        for entry in (catalogue.table()[name] for name in names & catalogue.table().keys()):
            found |= set() if entry.get("remote_code") else {("models", entry["hub"], "main")}
        for origin in (ORIGINS[name] for name in names & ORIGINS.keys()):
            found |= {("datasets", origin.hub[0], origin.revision or "main")} if origin.hub else set()
        found |= {("datasets", name, "main") for name in names & problems.NAMED.keys()}
        found |= {("datasets", benchmarks.table()[n]["hub"], "main") for n in names & benchmarks.table().keys()}
        found |= {("models", OLMO, REVISIONS[name]) for name in names & REVISIONS.keys()}
    return found


def asked(hub: server.Hub) -> set[tuple[str, str, str]]:
    """Kind, id and revision of all that was asked of the hub."""
    branches = {
        server.commit(name, branch): branch for (_, name), r in hub.repositories.items() for branch in r.revisions
    }
    return {(a.kind, a.id, branches.get(a.revision, a.revision)) for a in hub.log if a.kind}


def report(hub: server.Hub, expected: set[tuple]) -> list[str]:
    """What was not as it should be, a line each."""
    found = asked(hub)
    twice = [what for what, n in Counter(a[1:6] for a in hub.downloads() if a.status == 200).items() if n > 1]
    lines = [f"not asked for: {' '.join(what)}" for what in sorted(expected - found)]
    lines += [f"asked for, and named nowhere: {' '.join(what)}" for what in sorted(found - expected)]
    return lines + [f"downloaded twice: {' '.join(what)}" for what in twice]


def sources(value: object) -> Iterator[dict]:
    """Everything in a record that says where it is from."""
    if isinstance(value, dict) and isinstance(value.get("source"), str):
        yield value
    for of_it in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from sources(of_it)


def untraced(records: Path) -> list[str]:
    """Records with something of the hub and no commit, a line each."""
    return [
        f"without a commit: {path.name}: {found['source']}"
        for path in sorted(records.glob("**/*.json"))
        for found in sources(json.loads(path.read_text(encoding="utf-8")))
        if found["source"].startswith("hub ") and not COMMIT.search(f"{found['source']} {found.get('revision')}")
    ]


def environment(place: Path, address: str) -> dict[str, str]:
    """Nothing of the user's: caches of its own, the hub on loopback, no other way out."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "DECONDENSE_"))}
    return kept | {
        "PYTHONPATH": str(place / "src"), "HF_ENDPOINT": address, "HF_HOME": str(place / "hub"),
        "DECONDENSE_CACHE": str(place / "cache"), "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1",
        "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9",
    }  # fmt: skip


def rehearse(root: Path, profile: str, only: list[str], jobs: int) -> list[str]:
    """Run the pages of a profile in a copy and with a hub of its own; what was not as it should be, a line each."""
    place, began = root / "build" / "rehearsal" / profile, time.monotonic()
    prepare(root, place)
    pages = {profiles.notebook_id(path): path for path in sorted((root / "notebooks").glob("*.ipynb"))}
    expected = named(profile, {page: path for page, path in pages.items() if not only or page in only})
    hub = server.Hub(models.repositories([name for name in REVISIONS.values() if name != "main"]) | data.repositories())
    command = [sys.executable, "-m", "decondense", "reproduce", "--profile", profile, "--jobs", str(jobs)]
    command += [word for page in only for word in ("--only", page)] + ["--no-book"] * bool(only)
    with server.serving(hub) as address:
        status = subprocess.run(command, cwd=place, env=environment(place, address)).returncode
    minutes = (time.monotonic() - began) / 60
    asked_for = f"{len(expected)} ids and revisions, {len(hub.log)} requests, {len(hub.downloads())} downloads"
    print(f"{profile}: {asked_for}, {minutes:.0f} minutes with {jobs} pages at a time")
    ended = [f"the run ended with status {status}"] if status else []
    return [*ended, *report(hub, expected), *untraced(place / "build" / profile / "records")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, action="append", help="both without it")
    parser.add_argument("--only", action="append", default=[], help="id of a page; all, and the book, without it")
    parser.add_argument("--jobs", type=int, default=2, help="pages at a time")
    given = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    wrong = [
        f"{profile}: {line}"
        for profile in given.profile or PROFILES
        for line in rehearse(repository_root(), profile, given.only, given.jobs)
    ]
    print(
        "\n".join(wrong) or "All that was named was asked for, nothing else, nothing twice; all records have commits."
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
