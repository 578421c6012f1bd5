"""What `measure` found: a table and a picture in the terminal, JSON, a card, a report in a folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from rich.text import Text

from ..base.files import write_atomically
from .command import command_line, console, json_text, plainly, print_json

FIGURES = {
    "heatmaps": "Density of the cosines over depth, with the mean μ as a line (ρ and τ in the corner)",
    "controls": "Mean cosine within texts and between them over depth, with 95 % intervals over the texts",
    "trends": "ρ and τ of each family in the order of size, with 95 % intervals over the texts",
}


def conclude(
    results: Sequence, failed: Mapping, texts: Mapping, tokens: Mapping, *, out: Path | None, card: bool, quiet: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Write and show what was measured. Exit status 1 where something was not. `tokens`: `TokenCosines` by model."""
    from .. import pairing
    from . import per_token
    from .card import card as markdown

    sides = {name: per_token.furthest(found) for name, found in tokens.items()}  # once: it looks at every token
    pairs = [pairing.compare(results[0], other) for other in results[1:]]
    content = {
        "command": command_line(),
        "texts": texts,
        "models": [facts(result) for result in results],
        "differences": [pairing.facts(pair) for pair in pairs],
        "failed": failed,
    } | ({"per_token": {name: per_token.facts(*ends) for name, ends in sides.items()}} if tokens else {})
    if out and results:
        with plainly():  # a font may lack a letter of a name
            write(out, results, pairs, content, tokens, sides)
        if card:
            write_atomically(out / "card.md", markdown(results, content["command"], "report.png"))
    if as_json:
        print_json(content)
    elif results and card and not out:
        typer.echo(markdown(results, content["command"], None), nl=False)
    elif results:
        _show(results, pairs, sides, console(quiet), out)
    if failed:
        raise typer.Exit(1)


def facts(result) -> dict:
    """What a result says, as plain data: its numbers, the tokens of each text, its settings, its controls."""
    from . import controls

    late, late_interval = result.mean_of_last(None)
    names = ("mu", "mu_off_diagonal", "zero_vectors", "nonfinite_vectors", "tokens", "settings")
    return {
        "name": result.name,
        "layers": len(result.mu) - 1,
        "dtype": result.dtype,
        "resolution": result.resolution,
        "constant": result.is_constant,
        "rho": result.rho,
        "rho_interval": result.rho_interval,
        "tau": result.tau,
        "tau_interval": result.tau_interval,
        "late_half": late,
        "late_half_interval": late_interval,
        **{name: getattr(result, name) for name in names},
    } | ({} if result.controls is None else {"controls": controls.facts(result.controls)})


def write(out: Path, results: Sequence, pairs: Sequence, content: dict, tokens: Mapping, sides: Mapping) -> None:
    """report.html, .png, .csv and .json; trends.png of several models, controls.png and per_token.csv where asked for.

    `sides`: of `tokens` those furthest out of the cone, and those furthest in.
    """
    import pandas as pd

    from .. import plots
    from ..controls import figures
    from . import per_token, report

    drawn = {"heatmaps": report.png(plots.heatmaps(results))}
    if all(result.controls is not None for result in results):
        drawn["controls"] = report.png(figures.within_and_between(results))
        write_atomically(out / "controls.png", drawn["controls"])
    if len(results) > 1:
        drawn["trends"] = report.png(plots.trends(_families(results), columns=3))
        write_atomically(out / "trends.png", drawn["trends"])
    write_atomically(out / "report.png", drawn["heatmaps"])
    table = pd.concat([result.to_frame().assign(model=result.name) for result in results])
    write_atomically(out / "report.csv", table.set_index("model").to_csv())
    write_atomically(out / "report.json", json_text(content))
    figures = {FIGURES[name]: image for name, image in drawn.items()}
    if tokens:
        write_atomically(out / "per_token.csv", per_token.table(tokens).to_csv(index=False))
    html = report.measurement(results, pairs, figures, content["command"], content["failed"], sides)
    write_atomically(out / "report.html", html)


def _families(results: Sequence) -> dict[str, list]:
    """Results by family, each in the order of size."""
    families: dict[str, list] = {}
    for result in sorted(results, key=lambda r: r.settings["model"]["parameters"]):
        families.setdefault(result.settings["model"]["family"], []).append(result)
    return families


def _show(results: Sequence, pairs: Sequence, sides: Mapping, console, out: Path | None) -> None:
    from . import terminal

    settings = results[0].settings
    console.print(Text(f"{len(results[0].tokens)} texts from {settings['texts']}", "dim"), soft_wrap=True)
    if len(results) == 1:
        console.print(terminal.one(results[0]))
        console.print(terminal.heatmap(results[0], console))
        console.print(terminal.layers(results[0]))
        for name in ("source", "quantisation", "licence"):
            if said := settings["model"].get(name):
                console.print(Text(f"{name}: {said}"), soft_wrap=True)
    else:
        console.print(terminal.summary(results))
        console.print(terminal.lines(results, console))
        console.print(terminal.differences(pairs))
    for result in results:
        if result.controls is not None:
            console.print(terminal.controls(result))
    for name, ends in sides.items():
        console.print(terminal.tokens(name, *ends, console))
    if out:
        console.print(Text(f"report: {out / 'report.html'}"), soft_wrap=True)
