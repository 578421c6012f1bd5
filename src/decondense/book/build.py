"""The book: executed notebooks are cleaned, given a provenance line, and built into a site that needs no network."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from html import escape
from pathlib import Path
from re import findall, sub

import nbformat
import yaml
from nbformat.v4 import new_markdown_cell, new_notebook

from ..base.errors import unknown
from ..base.files import repository_root
from ..bench import RECORDS
from ..bench import page as performance
from . import heads, numbers, sanitise
from . import pages as made_pages
from .execute import read_stamp
from .folds import fold
from .profiles import PROFILES, notebook_id
from .scorecard import Page, committed_run, copy_records, read_committed, read_verdicts, scorecard

PARTS = {  # first notebook number of a part -> its caption
    0: "Condensation, measured",
    5: "Shaping and training",
    14: "Appendix",
    20: "Audit",
    30: "What the cone is made of",
}
GUIDE = ("install", "quick_start", "measure_my_model", "train_with_the_loss", "watch_training")
GUIDE += ("extend", "architectures", "faq", "api")
ABOUT = (
    "scorecard",
    "committed_run",
    "findings",
    "performance",
    "how_the_numbers_are_made",
    "changed_rules",
    "references",
)
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
WIDGET = "application/vnd.jupyter.widget-view+json"
# The kinds of Sphinx warnings that a reference to a figure or formula gives whose notebook has no result in this run.
UNRESOLVED = ["ref.ref", "ref.numref", "ref.eq", "myst.xref_missing"]


def build(profile: str) -> Path:
    """Build the book of `profile` from the notebooks executed under build/<profile>/notebooks.

    Stages everything under build/<profile>/staging, where a page has the path of its source in the repository, and
    runs jupyter-book there with warnings as errors. The site replaces build/<profile>/book only when it is whole.

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
    pages = find_pages(root, here)
    verdicts = read_verdicts(pages, here / "records")
    staging = here / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    committed = read_committed(root / "book" / "results")
    made = {"scorecard": scorecard(profile, pages, verdicts, committed), "committed_run": committed_run(committed)}
    _stage(root, staging, profile, pages, made, committed, verdicts)
    site = _run_jupyter_book(staging)
    copy_records(verdicts, here / "records", site / "records")
    copy_records(committed, root / "book" / "results", site / "results")
    for path in (root / "book" / "results").glob(RECORDS):
        shutil.copyfile(path, site / "results" / path.name)
    for folder in ("records", "results"):
        sanitise.records(site / folder, root)
    if found := sanitise.leaks(site, root):
        raise RuntimeError(f"{site} would tell names of this machine. Mend what printed them:\n" + "\n".join(found))
    shutil.rmtree(here / "book", ignore_errors=True)
    return Path(shutil.move(site, here / "book")) / "index.html"


def find_pages(root: Path, here: Path) -> list[Page]:
    """Every notebook of the repository in order, with its stamp if it was executed under `here` without an error."""
    sources = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    executed = [here / "notebooks" / source.name for source in sources]
    pages = [Page(s, e, read_stamp(e.with_suffix(".json"))) for s, e in zip(sources, executed, strict=True)]
    if all(page.state == "not executed" for page in pages):
        raise FileNotFoundError(
            f"No executed notebook under {here / 'notebooks'}. Run `nox -s reproduce -- --profile {here.name}` first."
        )
    return pages


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


def provenance(page: Page, profile: str) -> str:
    """One line for the end of a page: profile, when, how long, versions, and the command that makes it again."""
    versions = ", ".join(f"{name} {version}" for name, version in page.stamp["versions"].items())
    minute = str(page.stamp["utc"])[:16].replace("T", " ")
    return (
        f'<p class="provenance">Executed in the profile <code>{profile}</code>, '
        f"{minute} UTC, in {page.stamp['seconds']:.1f} s, with {escape(versions)}. "
        f"Make it again: <code>{remake(page, profile)}</code></p>"
    )


def remake(page: Page, profile: str) -> str:
    """The command that executes this notebook again."""
    return f"nox -s reproduce -- --profile {profile} --only {notebook_id(page.name)} --fresh"


def _read(path: Path) -> nbformat.NotebookNode:
    return nbformat.v4.upgrade(nbformat.read(path, as_version=4))  # gives cells the ids that added ones have


def finished(page: Page, profile: str) -> nbformat.NotebookNode:
    """The page as the book shows it: the cleaned notebook, or a short one that says why there is none."""
    if page.state == "done":
        notebook = clean(_read(page.executed), page.name)
        notebook.cells.append(new_markdown_cell(provenance(page, profile)))
        return notebook
    heading = f"# {title(_read(page.source), page.name)}\n\n"
    if page.state == "failed":
        error = error_line(_read(page.executed)) or "it stopped before its end"
        what = f":::{{error}}\nThis notebook failed in this run.\n\n```text\n{error}\n```\n:::"
    else:
        what = ":::{note}\nThis notebook was not executed in this run.\n:::"
    text = f"{heading}{what}\n\nExecute it with `{remake(page, profile)}`."
    # A notebook and not a Markdown page, so that links to it hold and its Colab button opens the real one.
    return new_notebook(cells=[new_markdown_cell(text)], metadata={"kernelspec": KERNEL})


# --- staging and Sphinx ---------------------------------------------------------------------------------------------


def toc(names: Iterable[str]) -> dict:
    """The table of contents of jupyter-book: the introduction, how to use it, the notebooks by part, about the book."""
    parts = {"Use it": [f"book/{page}" for page in GUIDE]} | {caption: [] for caption in PARTS.values()}
    for name in names:
        first = max(number for number in PARTS if number <= int(name[:2]))
        parts[PARTS[first]].append(f"notebooks/{name}")
    parts["About"] = [f"book/{page}" for page in ABOUT]
    chapters = [
        {"caption": caption, "chapters": [{"file": file} for file in files]}
        for caption, files in parts.items()
        if files
    ]
    return {"format": "jb-book", "root": "book/intro", "parts": chapters}


def _config(root: Path, profile: str, pages: Iterable[Page]) -> dict:
    """book/_config.yml with what has another home: the repository's address, the profile, what is missing."""
    config = yaml.safe_load((root / "book" / "_config.yml").read_text(encoding="utf-8"))
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    config["repository"]["url"] = project["urls"]["Repository"]
    footer = f"{project['name']} {project['version']}, profile <code>{profile}</code>."
    config["html"]["extra_footer"] = f"<p>{footer}</p>"
    if any(page.state != "done" for page in pages):
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
        notebook = finished(page, profile)
        if page.state == "done":
            heads.add(notebook, page.name, verdicts, staging / "notebooks")
        notebook = sanitise.notebook(numbers.filled_notebook(notebook, committed), root)
        nbformat.write(notebook, staging / "notebooks" / page.source.name)
    (staging / "_config.yml").write_text(yaml.safe_dump(_config(root, profile, pages)), encoding="utf-8")
    (staging / "_toc.yml").write_text(
        yaml.safe_dump(toc(page.name for page in pages), sort_keys=False), encoding="utf-8"
    )


def _run_jupyter_book(staging: Path) -> Path:
    """Run jupyter-book in a process of its own, quiet unless it fails. Returns the folder of the HTML."""
    start = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", str(staging), "-W", "-n", "--keep-going", "-q"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = sub(r"\x1b\[[0-9;]*m", "", done.stderr or done.stdout).strip()
        raise RuntimeError(f"jupyter-book failed on {staging}:\n{said}")
    return staging / "_build" / "html"
