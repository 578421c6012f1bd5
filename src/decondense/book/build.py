"""The book: executed notebooks are cleaned, given a provenance line, and built into a site that needs no network."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from re import findall, sub

import nbformat
import yaml
from nbformat.v4 import new_markdown_cell, new_notebook

from ..base.errors import unknown
from ..base.files import mirror, repository_root
from ..bench import RECORDS
from ..bench import page as performance
from . import contents, gallery, heads, kept, numbers, sanitise, shown
from . import pages as made_pages
from .difference import committed_run
from .execute import read_stamp
from .folds import fold
from .profiles import PROFILES, notebook_id, shows_committed
from .scorecard import COMMITTED, WAITING, Page, copy_records, read_committed, read_verdicts, scorecard
from .shown import Run, provenance, remake

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
WIDGET = "application/vnd.jupyter.widget-view+json"
# The kinds of Sphinx warnings that a reference to a figure or formula gives whose notebook has no result in this run.
UNRESOLVED = ["ref.ref", "ref.numref", "ref.eq", "myst.xref_missing"]


def build(profile: str, run: Run | None = None, again: bool = False) -> Path:
    """Build the book of `profile` from the notebooks executed under build/<profile>/notebooks.

    Where a notebook was not executed, the page shows what the repository keeps of it (`kept`), and says so, in the
    profiles that allow it. Stages everything under build/<profile>/staging, where a page has the path of its source in
    the repository, and runs jupyter-book there with warnings as errors. What is in build/<profile>/book is replaced,
    file by file, only when the site is whole.

    run
        The run that goes on and has yet to execute some of the notebooks.
    again
        Read only those pages that changed since the last build, which the same sources must have made.

    Returns the path of the site's index.html.

    Raises
        ValueError: unknown profile or verdict; an error output in a notebook that is stamped as done, or no verdict or
            figure for its head (`heads`).
        FileNotFoundError: no repository around the current folder, nothing executed, a record that is missing.
        RuntimeError: Sphinx gave a warning, a page would load something from the network (book/_ext/offline.py), or
            the site tells a folder, user or host of this machine (`sanitise`).
    """
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    root = repository_root()
    here = root / "build" / profile
    pages = find_pages(root, here, run)
    committed = read_committed(root / "book" / "results")
    own = read_verdicts(pages, here / "records")
    old = {page.name: committed[page.name] for page in pages if page.state == COMMITTED and page.name in committed}
    verdicts = {page.name: (own | old)[page.name] for page in pages if page.name in own | old}
    staging, staged = here / "staging", here / "staged"
    for folder in (staged, *(() if again else (staging,))):
        shutil.rmtree(folder, ignore_errors=True)
    made = {
        "scorecard": scorecard(profile, pages, verdicts, committed),
        "committed_run": committed_run(committed, verdicts),
    }
    _stage(root, staged, profile, pages, made, committed, verdicts, run)
    mirror(staged, staging, beside=["_build"])
    shutil.rmtree(staged)
    site = _run_jupyter_book(staging)
    copy_records(own, here / "records", site / "records")
    copy_records(old, root / "book" / "results", site / "records")
    copy_records(committed, root / "book" / "results", site / "results")
    for path in (root / "book" / "results").glob(RECORDS):
        shutil.copyfile(path, site / "results" / path.name)
    for folder in ("records", "results"):
        sanitise.records(site / folder, root)
    if found := sanitise.leaks(site, root):
        raise RuntimeError(f"{site} would tell names of this machine. Mend what printed them:\n" + "\n".join(found))
    mirror(site, here / "book")
    return here / "book" / "index.html"


def find_pages(root: Path, here: Path, run: Run | None = None) -> list[Page]:
    """Every notebook of the repository in order, with its stamp if it was executed under `here` without an error, and
    else with the stamp of what the repository keeps of it, if there is such a thing.
    """
    sources = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    pages = [_page(root, source, here, run) for source in sources]
    if all(page.state == "not executed" for page in pages):
        raise FileNotFoundError(
            f"No executed notebook under {here / 'notebooks'}. Run `nox -s reproduce -- --profile {here.name}` first."
        )
    return pages


def _page(root: Path, source: Path, here: Path, run: Run | None) -> Page:
    executed = here / "notebooks" / source.name
    page = Page(source, executed, read_stamp(executed.with_suffix(".json")))
    waits = run is not None and notebook_id(source) in run.waiting  # and may have written half of its output
    if page.stamp or (page.state == "failed" and not waits):
        return page
    if shows_committed(here.name) and (found := kept.read(root, page.name)):
        return page._replace(stamp=found, told=COMMITTED)
    return page._replace(told=WAITING if waits else "")


# --- one notebook ---------------------------------------------------------------------------------------------------


def clean(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """Make an executed notebook fit for the book, in place, and return it.

    Drops widget states and stderr, keeps the last state of progress lines, removes the cells tagged `colab`, folds
    those that are no part of the story (`folds`), and says above the parameters that papermill injected that they were
    used instead of the notebook's own.

    Raises
        ValueError: a cell holds an error output, though the notebook `name` counts as done.
    """
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata["tags"] = [*tags, *(["remove-cell"] if "colab" in tags else [])]
        fold(cell)
        if "injected-parameters" in tags:
            cell.source = cell.source.replace("# Parameters\n", "# In this run, instead of the above:\n", 1)
        if cell.cell_type == "code":
            cell.outputs = [_last_state(output) for output in cell.outputs if _is_wanted(output)]
    if error := error_line(notebook):
        raise ValueError(
            f"{name} is stamped as done but holds an error: {error}. "
            f"Run `nox -s reproduce -- --only {notebook_id(name)} --fresh`."
        )
    return notebook


def error_line(notebook: nbformat.NotebookNode) -> str | None:
    """The first exception among the outputs, as one line; `None` where there is none."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return f"{output.ename}: {output.evalue}".strip().splitlines()[0]
    return None


def _is_wanted(output: nbformat.NotebookNode) -> bool:
    return output.get("name") != "stderr" and WIDGET not in output.get("data", {})


def _last_state(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A progress bar writes its line again after each carriage return: a terminal shows the last one only."""
    if output.output_type == "stream":
        lines = [line.rstrip("\r").rpartition("\r")[2] for line in output.text.split("\n")]
        output.text = "\n".join(lines)
    return output


def title(notebook: nbformat.NotebookNode, name: str) -> str:
    """The first heading of the notebook, or its file name."""
    headings = (findall(r"(?m)^# +(.+)$", c.source) for c in notebook.cells if c.cell_type == "markdown")
    return next((found[0].strip() for found in headings if found), name)


def _read(path: Path) -> nbformat.NotebookNode:
    return nbformat.v4.upgrade(nbformat.read(path, as_version=4))  # gives cells the ids that added ones have


def finished(page: Page, profile: str, run: Run | None = None) -> nbformat.NotebookNode:
    """The page as the book shows it: the cleaned notebook, or a short one that says why there is none."""
    if page.state in ("done", COMMITTED):
        of_run = page.state == "done"
        notebook = _read(page.executed) if of_run else kept.executed(page.source.parents[1], page.name)
        notebook = shown.marked(clean(notebook, page.name), page, profile, run)
        end = provenance(page, profile if of_run else page.stamp["profile"])
        notebook.cells.append(new_markdown_cell(end, id="provenance"))  # a random id would be a change
        return notebook
    heading = f"# {title(_read(page.source), page.name)}\n\n"
    if page.state == "failed":
        error = error_line(_read(page.executed)) or "it stopped before its end"
        what = f":::{{error}}\nThis notebook failed in this run.\n\n```text\n{error}\n```\n:::"
    elif page.state == WAITING:
        what = f":::{{note}}\n{shown.to_come(run)}\n:::"
    else:
        what = ":::{note}\nThis notebook was not executed in this run.\n:::"
    text = f"{heading}{what}\n\nExecute it with `{remake(page, profile)}`."
    # A notebook and not a Markdown page, so that links to it hold and its Colab button opens the real one.
    return new_notebook(cells=[new_markdown_cell(text, id="no-result")], metadata={"kernelspec": KERNEL})


def keep_pages(root: Path, profile: str) -> list[Path]:
    """Keep the outputs of every page that a run of `profile` has executed (`kept`), without names of this machine."""
    pages = [page for page in find_pages(root, root / "build" / profile) if page.state == "done"]
    executed = [sanitise.notebook(clean(_read(page.executed), page.name), root) for page in pages]
    return [kept.write(root, p.name, e, p.stamp, profile) for p, e in zip(pages, executed, strict=True)]


# --- staging and Sphinx ---------------------------------------------------------------------------------------------


def _config(root: Path, profile: str, pages: Iterable[Page]) -> dict:
    """book/_config.yml with what has another home: the repository's address, the profile, what is missing."""
    config = yaml.safe_load((root / "book" / "_config.yml").read_text(encoding="utf-8"))
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    config["repository"]["url"] = project["urls"]["Repository"]
    footer = f"{project['name']} {project['version']}, profile <code>{profile}</code>."
    config["html"]["extra_footer"] = f"<p>{footer}</p>"
    if any(page.state not in ("done", COMMITTED) for page in pages):
        config["sphinx"]["config"]["suppress_warnings"] = ["myst.domains", *UNRESOLVED]
    return config


def _stage(
    root: Path,
    staging: Path,
    profile: str,
    pages: list[Page],
    made: dict[str, str],
    committed: dict[str, dict],
    verdicts: dict[str, dict],
    run: Run | None,
) -> None:
    for folder in ("_ext", "_static"):
        shutil.copytree(root / "book" / folder, staging / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (staging / "notebooks").mkdir()
    (staging / "book").mkdir()
    for path in [*(root / "book").glob("*.md"), *(root / "book").glob("*.bib")]:
        shutil.copyfile(path, staging / "book" / path.name)
    for name, text in made.items():
        (staging / "book" / f"{name}.md").write_text(sanitise.text(text, root), encoding="utf-8")
    performance.write(root / "book", staging / "book")
    made_pages.write(root / "book", staging / "book")
    for page in pages:
        notebook = finished(page, profile, run)
        if page.state in ("done", COMMITTED):
            heads.add(notebook, page.name, verdicts, staging / "notebooks")
        notebook = sanitise.notebook(numbers.filled_notebook(notebook, committed), root)
        nbformat.write(notebook, staging / "notebooks" / page.source.name)
    gallery.write(staging / "notebooks", staging / "book")
    (staging / "_config.yml").write_text(yaml.safe_dump(_config(root, profile, pages)), encoding="utf-8")
    (staging / "_toc.yml").write_text(
        yaml.safe_dump(contents.toc(page.name for page in pages), sort_keys=False), encoding="utf-8"
    )


def _run_jupyter_book(staging: Path) -> Path:
    """Run jupyter-book in a process of its own, quiet unless it fails. Returns the folder of the HTML."""
    start = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", str(staging), "-W", "-n", "--keep-going", "-q"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(staging / "_build", ignore_errors=True)  # a page that was read once gives its warning once
        said = sub(r"\x1b\[[0-9;]*m", "", done.stderr or done.stdout).strip()
        raise RuntimeError(f"jupyter-book failed on {staging}:\n{said}")
    return staging / "_build" / "html"
