"""The count of the fault suite: each test says what it did to the program, and how that ended."""

import json
import platform
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import children
import pytest
import toy
from rich.console import Console
from rich.table import Table

COUNTS = ("injected", "corrupt_reads", "reruns", "reruns_the_same")
COLUMNS = ("fault", *COUNTS, "seconds")
TARGET = Path(__file__).parents[2] / "build" / "faults.json"


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="each kind of fault with its first seed only")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--quick"):
        for item in items:
            if hasattr(item, "callspec") and item.callspec.params.get("seed", 0) > 0:
                item.add_marker(pytest.mark.skip(reason="--quick"))


class Tally:
    """What was done to the program in one test; it reaches the process that prints the table."""

    def __init__(self, properties: list):
        self.properties = properties

    def __call__(self, fault: str, injected: int = 1, corrupt: int | None = None, same: list[bool] | None = None):
        """`corrupt` reads that gave what was never written, `None` where nothing was there to be read; `same`: for each
        rerun, whether it ended as if undisturbed.

        A corrupt read or another result fails the test, after it was counted.
        """
        same = same or []
        numbers = (injected, corrupt, len(same), sum(same))
        self.properties.append(("fault", {"fault": fault} | dict(zip(COUNTS, numbers, strict=True))))
        assert injected > 0, f"{fault}: it never happened"
        assert not corrupt, f"{fault}: {corrupt} corrupt reads"
        assert all(same), f"{fault}: {same.count(False)} of {len(same)} reruns ended otherwise"


@pytest.fixture
def tally(request):
    return Tally(request.node.user_properties)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The results of a run that nothing happened to, and its seconds."""
    root = toy.clone(tmp_path_factory.mktemp("whole") / "clone")
    start = time.monotonic()
    toy.finish(root)
    return toy.results(root), time.monotonic() - start


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The results of a training that nothing happened to, and its seconds."""
    folder = tmp_path_factory.mktemp("whole")
    children.finish(children.write_once, folder / "warm")  # the first start imports everything
    start = time.monotonic()
    children.finish(children.train, folder)
    return children.trained(folder), time.monotonic() - start


def rows(reports) -> list[dict]:
    """One row for each kind of fault. The seconds of a test with several kinds count for the first."""
    found = defaultdict(lambda: {"seconds": 0} | dict.fromkeys(COUNTS))
    for report in reports:
        faults = [value for name, value in report.user_properties if name == "fault"]
        for number, fault in enumerate(faults):
            row = found[fault["fault"]]
            for name in COUNTS:
                row[name] = _sum(row[name], fault[name])
            row["seconds"] += 0 if number else report.duration
    return [{"fault": name} | row | {"seconds": round(row["seconds"], 1)} for name, row in sorted(found.items())]


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def pytest_terminal_summary(terminalreporter):
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    if not (found := rows(reports)):
        return
    total = {name: _sum(*(row[name] for row in found)) for name in (*COUNTS, "seconds")}
    table = Table(title="Faults", title_justify="left")
    for column in COLUMNS:
        table.add_column(column.replace("_", " "), justify="left" if column == "fault" else "right")
    for row in [*found, {"fault": "all"} | total | {"seconds": round(total["seconds"], 1)}]:
        table.add_row(*("–" if row[column] is None else str(row[column]) for column in COLUMNS))
    Console(width=110).print(table)
    about = {"utc": datetime.now(UTC).isoformat(timespec="seconds"), "python": platform.python_version()}
    about |= {
        "system": f"{platform.system()} {platform.machine()}",
        "failed_tests": len(terminalreporter.stats.get("failed", [])),
    }
    skipped = sorted({str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", [])})
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(about | {"skipped": skipped, "faults": found, "all": total}, indent=1) + "\n")
    terminalreporter.write_line(f"Written to {TARGET.relative_to(TARGET.parents[1])}")
