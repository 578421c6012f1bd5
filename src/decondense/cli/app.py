"""The command `decondense`: reproduce the paper, measure, compare and train models, look after the installation."""

import os
from contextlib import suppress
from typing import Annotated

import typer
from rich.console import Console

from .. import __version__
from ..base import assets
from ..base.errors import unknown
from ..base.files import repository_root, sweep_cache
from ..book import reproduce as runner
from ..book.profiles import PROFILES
from .cache import cache
from .campaign import campaign
from .command import JsonOfWrongUsage, said_plainly
from .compare import compare
from .doctor import doctor
from .measure import measure
from .tokens import tokens
from .train import train

STATUS = (
    "Exit status: 0 all is well; 1 something failed while it ran, or doctor found that measuring, or the chosen "
    "profile, cannot run; 2 bad input (which includes a single model that cannot be measured), or the command could "
    "not begin; 130 Ctrl-C."
)

app = typer.Typer(
    cls=JsonOfWrongUsage,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help=__doc__,
    epilog=STATUS,
)
Profile = Annotated[str, typer.Option(help="The size of the run: ci, laptop, gpu or paper.")]


def _print_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"decondense {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option(envvar="DECONDENSE_DEBUG", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if debug:
        os.environ["DECONDENSE_DEBUG"] = "1"
    with suppress(OSError):  # a cache that cannot be used is an error of the command that uses it
        sweep_cache()


# Commands with a module of their own, in the order of the help.
app.command()(measure)
app.command()(compare)
app.command()(train)
app.command()(tokens)
app.command()(campaign)
app.command()(doctor)
app.command()(cache)


@app.command()
@said_plainly
def reproduce(
    profile: Profile = "laptop",
    only: Annotated[
        list[str] | None, typer.Option(metavar="IDS", help="Only these notebooks, by id: fig2,figS3. Repeatable.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run everything again, and use no earlier record.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Notebooks at a time; by default as many as cores and free memory allow."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Another value for a parameter. Repeatable.")
    ] = None,
    no_book: Annotated[bool, typer.Option("--no-book", help="Do not build the book.")] = False,
    accept_terms: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Accept a model's licence terms, once and for all: gemma-3-270m. Repeatable."
        ),
    ] = None,
) -> None:
    """Build a book of the committed run, then execute the notebooks: each replaces its page when it has run.

    What is done already is skipped: the same command resumes.

    \b
    Examples:
      decondense reproduce
      decondense reproduce --profile ci --no-book
      decondense reproduce --only fig2,figS3 --set N_TEXTS=20
      decondense reproduce --fresh --jobs 2
      decondense reproduce --accept-terms gemma-3-270m
    """
    for name in accept_terms or []:
        Console().print(
            f"{name}: the {assets.accept(name)} are accepted; `decondense doctor` shows it.", soft_wrap=True
        )
    ids = [name.strip() for names in only or [] for name in names.split(",") if name.strip()]
    raise typer.Exit(runner.reproduce(profile, ids, fresh, jobs, set_ or [], not no_book))


@app.command()
@said_plainly
def book(profile: Profile = "laptop") -> None:
    """Build the book again from the notebooks that were executed."""
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    if not runner.build_book(repository_root(), profile, Console()):
        raise typer.Exit(1)


@app.command()
@said_plainly
def keep(profile: Profile = "laptop") -> None:
    """Copy the verdicts, records and executed pages of a run to book/, to be committed; every later book shows them."""
    from ..book import build, kept, overview, scorecard

    root = repository_root()
    results = root / "book" / "results"
    written = scorecard.keep(root / "build" / profile / "records", results)
    drawn = overview.save(scorecard.read_committed(results), results, results)
    names = " and ".join(path.name for path in drawn)
    Console().print(f"{len(written)} files, {names} in {results}", soft_wrap=True)
    pages = build.keep_pages(root, profile)
    Console().print(f"{len(pages)} executed pages in {root / kept.FOLDER}", soft_wrap=True)
