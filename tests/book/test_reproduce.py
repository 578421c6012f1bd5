"""The runner, on toy notebooks in a toy repository. A kernel takes seconds to start, so few tests use one."""

import io
import json
import re
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from decondense.base import machine
from decondense.base.errors import installs
from decondense.base.files import sha256
from decondense.book import cells, execute, profiles, reproduce, schedule

TABLE = {
    "network": {"offline": ["ci"]},
    "needs": {"shown": ["broken"]},
    "minutes": {"ci": {"good": 1.5}},
    "ci": {"all": {"PROFILE": "ci"}, "good": {"N": 2}, "broken": {}, "shown": {}, "other": {}},
}
PARAMETERS = 'PROFILE = "laptop"\nN = 1000'
READS = "print(f'{PROFILE} runs {N}')"


def write_notebook(path, *sources, tags=("parameters",)):
    """A notebook of code cells; the first one has `tags`."""
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{i}",
            "metadata": {"tags": list(tags) if i == 0 else []},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for i, source in enumerate(sources)
    ]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with one good notebook; the current folder is inside it."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").touch()
    write_notebook(tmp_path / "notebooks/00_good_one.ipynb", PARAMETERS, READS)
    monkeypatch.setattr(profiles, "_table", lambda: TABLE)
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.delenv("DECONDENSE_DATA", raising=False)
    return tmp_path


def quietly(**options):
    """Run without the book; the exit status and what was printed."""
    console = Console(file=io.StringIO(), width=200)
    status = reproduce.reproduce("ci", with_book=False, console=console, **options)
    return status, console.file.getvalue()


def text_outputs(path):
    outputs = [out for cell in cells.read(path) for out in cell.get("outputs", [])]
    return "".join("".join(out.get("text", "")) for out in outputs)


def finished(root, **changes):
    """The good notebook's task with the files of a run that ended well."""
    (task,) = reproduce.plan(root, "ci", ["good"])
    task.output.parent.mkdir(parents=True, exist_ok=True)
    task.output.write_text("{}")
    stamp = {"hash": execute.fingerprint(root, task.notebook, task.parameters), "utc": "2026-01-02", "seconds": 7.0}
    stamp["output"] = sha256(task.output)
    task.stamp.write_text(json.dumps(stamp | changes))
    return task


# --- with kernels ---------------------------------------------------------------------------------------------------


def test_two_at_a_time_with_a_failure(root, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    look = "import os\nfor name in ('DECONDENSE_RECORDS', 'HF_HUB_OFFLINE', 'OMP_NUM_THREADS'): print(os.environ[name])"
    write_notebook(root / "notebooks/01_broken.ipynb", PARAMETERS, READS, "raise KeyError('gone')", "print('never')")
    write_notebook(root / "notebooks/02_shown.ipynb", PARAMETERS, READS)
    write_notebook(root / "notebooks/03_other.ipynb", PARAMETERS, READS, look)
    status, said = quietly(jobs=2, settings=["N=3"])
    built = root / "build/ci"
    assert status == 1
    assert "KeyError: 'gone'" in said
    assert "build/ci/notebooks/01_broken.ipynb" in said
    assert "02_shown blocked: needs broken" in said
    assert "ci runs 3" in text_outputs(built / "notebooks/01_broken.ipynb")
    assert "never" not in text_outputs(built / "notebooks/01_broken.ipynb")
    assert not (built / "notebooks/02_shown.ipynb").exists()
    threads = str(max(1, machine.cores() // 2))
    assert text_outputs(built / "notebooks/03_other.ipynb").split()[3:] == [str(built / "records"), "1", threads]
    stamps = {path.stem for path in built.glob("notebooks/*.json")}
    assert stamps == {"00_good_one", "03_other"}
    assert "ci runs 3" in (built / "logs/00_good_one.log").read_text()


def test_done_is_skipped_until_the_source_changes(root):
    notebook, output = root / "notebooks/00_good_one.ipynb", root / "build/ci/notebooks/00_good_one.ipynb"
    status, said = quietly()
    assert status == 0
    assert "about 1:30 of work" in said  # as the profile says, with no stamp yet
    first = output.read_text()
    status, said = quietly()
    assert (status, output.read_text()) == (0, first)
    assert "already done" in said
    write_notebook(notebook, PARAMETERS, READS, "print('changed')")
    assert quietly()[0] == 0
    assert text_outputs(output) == "ci runs 2\nchanged\n"


def test_stopped_child_leaves_no_kernel_and_no_stamp(root):
    waits = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)"
    write_notebook(root / "notebooks/00_good_one.ipynb", PARAMETERS, READS, waits)
    (task,) = reproduce.plan(root, "ci")
    execute.start(task, jobs=1)
    while len(task.log.read_text().split("Executing Cell 4")) < 2:
        time.sleep(0.1)
    execute.stop([task], show=lambda: None)
    assert task.state == "interrupted"
    assert task.child.returncode not in (0, None)
    assert not task.stamp.exists()
    assert text_outputs(task.output).startswith("ci runs 2")
    assert not execute.is_done(task)


# --- what is done ---------------------------------------------------------------------------------------------------


def test_stamp_must_match(root):
    task = finished(root)
    assert execute.is_done(task)
    task.parameters["N"] = 3
    assert not execute.is_done(task)
    task = finished(root)
    task.stamp.unlink()  # as after a kill
    assert not execute.is_done(task)


@pytest.mark.parametrize("name", ["src/decondense/a.py", "src/decondense/paper/b.csv", "constraints.txt"])
def test_source_and_pins_count(root, name):
    task = finished(root)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("1")
    assert not execute.is_done(task)


def test_data_folder_counts(root, monkeypatch):
    task = finished(root)
    monkeypatch.setenv("DECONDENSE_DATA", "elsewhere")
    assert not execute.is_done(task)


def test_not_done_if_what_it_needs_is_newer(root, monkeypatch):
    task = finished(root)
    monkeypatch.setitem(TABLE, "needs", {"good": ["other"]})
    other = task.stamp.with_name("03_other.json")
    other.write_text('{"utc": "2026-01-01"}')
    assert execute.is_done(task)
    other.write_text('{"utc": "2026-01-03"}')
    assert not execute.is_done(task)


def test_fresh_holds_until_the_notebook_is_through(root, monkeypatch):
    task = finished(root)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduce, "run", interrupted)
    status, said = quietly(fresh=True)
    assert status == 130
    assert "Interrupted" in said
    assert not execute.is_done(task)
    assert execute.environment(task, jobs=1)["DECONDENSE_FRESH"] == task.fresh.read_text()
    task.fresh.unlink()
    assert "DECONDENSE_FRESH" not in execute.environment(task, jobs=1)


def test_folders_mean_the_same_to_a_kernel_as_here(root, monkeypatch):
    """It starts in another folder."""
    monkeypatch.setenv("DECONDENSE_CACHE", "caches")
    monkeypatch.setenv("DECONDENSE_DATA", "")
    child = execute.environment(finished(root), jobs=1)
    assert (child["DECONDENSE_CACHE"], child["DECONDENSE_DATA"]) == (str(Path.cwd() / "caches"), "")


def test_estimate_is_the_last_time(root):
    finished(root)
    assert reproduce.plan(root, "ci")[0].estimate == 7.0


# --- failures -------------------------------------------------------------------------------------------------------


def test_error_output_is_a_failure_whatever_the_exit_status(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", "x")
    notebook = json.loads(path.read_text())
    error = {"output_type": "error", "ename": "OSError", "evalue": "full\nmore", "traceback": []}
    notebook["cells"][0] |= {"outputs": [error], "execution_count": 4}
    assert execute.failure(0, path, tmp_path / "log") is None
    path.write_text(json.dumps(notebook))
    assert execute.failure(0, path, tmp_path / "log") == ("In [4] OSError: full", path)


@pytest.mark.parametrize(
    ("returncode", "said"), [(-9, "SIGKILL"), (1, "DeadKernelError: Kernel died (maybe"), (0, "DeadKernelError")]
)
def test_failure_without_a_notebook_points_to_the_log(tmp_path, returncode, said):
    log = tmp_path / "log"
    log.write_text("Traceback\nDeadKernelError: Kernel died\n")
    why, look = execute.failure(returncode, tmp_path / "half.ipynb", log)
    assert said in why
    assert look == log


# --- what to run ----------------------------------------------------------------------------------------------------


def test_set_is_read_as_python(root):
    write_notebook(
        root / "notebooks/03_other.ipynb", 'PROFILE = ""\nWORD = ""\nLIST = []', "print(PROFILE, WORD, LIST)"
    )
    settings = ["N=3", "LIST=[1, 'a']", "WORD=a=b"]
    good, other = reproduce.plan(root, "ci", ["good", "other"], settings=settings)
    assert good.parameters["N"] == 3
    assert other.parameters == {"PROFILE": "ci", "LIST": [1, "a"], "WORD": "a=b"}


def test_set_reaches_only_the_notebooks_that_take_it(root):
    write_notebook(root / "notebooks/03_other.ipynb", 'PROFILE = ""\nDEPTH = 1', "print(PROFILE, DEPTH)")
    good, other = reproduce.plan(root, "ci", settings=["DEPTH=5"])
    assert "DEPTH" not in good.parameters
    assert other.parameters == {"PROFILE": "ci", "DEPTH": 5}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("PROFIL=1", "Unknown parameter 'PROFIL'. Did you mean 'PROFILE'"),
        ("N", "NAME=VALUE"),
        ("=3", "NAME=VALUE"),
        ("N=false", "write False"),
    ],
)
def test_set_that_cannot_be_meant(root, setting, said):
    with pytest.raises(ValueError, match=said):
        reproduce.plan(root, "ci", settings=[setting])


@pytest.mark.parametrize("package", reproduce.PACKAGES)
def test_without_the_packages_of_the_book_nothing_begins(root, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    cure = rf"{package} is not installed, .*: {re.escape(installs('book'))}$"
    with pytest.raises(ImportError, match=cure):
        reproduce.reproduce("ci")
    with pytest.raises(ImportError, match=cure):
        reproduce.build_book(root, "ci", Console())


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ((PARAMETERS, "print(PROFILE)"), "00_good_one.ipynb: the parameter N is never read"),
        ((PARAMETERS, "print(PROFILE)\nN = 2"), "the parameter N is never read"),
        (("PROFILE = ''", READS), "the parameter N is not defined"),
        ((PARAMETERS, "print(PROFILE, N"), "00_good_one.ipynb, cell 1, line 1"),
    ],
)
def test_parameter_without_effect(root, cells, said):
    write_notebook(root / "notebooks/00_good_one.ipynb", *cells)
    with pytest.raises(ValueError, match=said):
        reproduce.plan(root, "ci")


def test_magics_are_allowed(root):
    path = write_notebook(
        root / "notebooks/00_good_one.ipynb", PARAMETERS, f"%matplotlib inline\n{READS}", "%%bash\nls"
    )
    assert cells.takes(path)[0] == {"PROFILE", "N"}


@pytest.mark.parametrize(
    ("profile", "only", "said"),
    [("laptp", [], "Did you mean 'laptop'"), ("ci", ["god"], "Unknown notebook 'god'. Did you mean 'good'")],
)
def test_unknown_names(root, profile, only, said):
    with pytest.raises(ValueError, match=said):
        reproduce.plan(root, profile, only)


@pytest.mark.parametrize("setting", ["N=ten", "N=[3]", "N=True", "PROFILE=3"])
def test_a_value_of_another_kind_is_refused(root, setting):
    name = setting.split("=")[0]
    with pytest.raises(ValueError, match=rf"{name}=.*00_good_one\.ipynb has {name} = "):
        reproduce.plan(root, "ci", ["good"], settings=[setting])


def test_notebook_without_a_table(root):
    write_notebook(root / "notebooks/09_new_title.ipynb", PARAMETERS, READS)
    with pytest.raises(ValueError, match="Unknown notebook 'new'"):
        reproduce.plan(root, "ci")


def test_what_is_not_selected_blocks_nothing(root):
    write_notebook(root / "notebooks/02_shown.ipynb", PARAMETERS, READS)
    tasks = reproduce.plan(root, "ci", ["shown"])
    assert [task.id for task in tasks] == ["shown"]
    assert schedule.needed(tasks[0], tasks) == []


# --- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("built", "status"), [(True, 0), (False, 1)])
def test_the_book_is_built_in_the_root(root, monkeypatch, built, status):
    def build(profile, again=False):
        if not built:
            raise RuntimeError("no theme")
        return Path.cwd() / profile / "index.html"

    monkeypatch.setattr("decondense.book.build.build", build)
    finished(root)
    console = Console(file=io.StringIO(), width=200)
    assert reproduce.reproduce("ci", console=console) == status
    said = console.file.getvalue()
    assert (f"The book: {root / 'ci' / 'index.html'}" if built else "RuntimeError: no theme") in said
