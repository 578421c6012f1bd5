"""The published numbers of arXiv:2602.00217 (v3), loaded and typed. The CSV files lie beside this module.

Values of figures were read off the published pixels; their `error` is the bound of that reading, not a spread of the
experiment. Section, figure and table numbers are the paper's.
"""

from functools import cache
from pathlib import Path

from .. import metrics
from ..base.errors import unknown
from ..base.extras import need

pd = need("pandas", extra="train")

TABLES = {
    "figure_points": "rho and tau read off Fig. 2b, 3b, 4, 5b, S2",
    "figure_heatmap_modes": "per-layer mode of the cosine read off Fig. 2a and 3a",
    "figure_heatmap_means": "per-layer mean of the cosine read off Fig. 2a and 3a",
    "table2_midtraining": "Table 2, ten benchmarks after mid-training",
    "table3_layers": "Table 3, early or late half of the layers",
    "table4_hyperparameters": "Table 4, weight and temperature",
    "table5_pretraining": "Table 5, pre-training",
    "tableS1_settings": "Table S1, settings",
}


@cache
def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(Path(__file__).with_name(f"{name}.csv"))


def table(name: str) -> pd.DataFrame:
    """A copy of one published table in long form; `TABLES` says what each holds.

    Raises
        ValueError: unknown table.
    """
    if name not in TABLES:
        raise unknown("table", name, TABLES)
    return _read(name).copy()


def trend(figure: str, metric: str, family: str, dataset: str = "wikitext-103") -> pd.DataFrame:
    """Published `spearman` or `kendall` of one family in the order of size: columns model, value, error.

    figure
        "Fig2", "FigS2", ... as in `figure_points.csv`.

    Raises
        ValueError: nothing published under these names; the message lists the families of the figure.
    """
    points = _read("figure_points")
    points = points[(points.figure == figure) & (points.metric == metric) & (points.dataset == dataset)]
    found = points[points.family == family]
    if found.empty:
        raise unknown(f"family of {figure} ({metric}, {dataset})", family, sorted(set(points.family)))
    return found[["model", "value", "error"]].reset_index(drop=True)


def training_run() -> pd.DataFrame:
    """Fig. 4: columns checkpoint, spearman, spearman error, kendall, kendall error; from initialisation to the end.

    A checkpoint is named by its stage and step, as in the figure: "S1-353k"; the last is "Main".
    """
    points = _read("figure_points")
    points = points[points.figure == "Fig4"]
    table = pd.DataFrame({"checkpoint": points[points.metric == "spearman"].model.to_numpy()})
    for metric in ("spearman", "kendall"):
        rows = points[points.metric == metric]
        table[metric], table[f"{metric} error"] = rows.value.to_numpy(), rows.error.to_numpy()
    return table


def mean_cosines(figure: str, model: str) -> pd.DataFrame:
    """Published mean cosine per entry of one heat map: columns layer_index, cosine_mean, error.

    Raises
        ValueError: no heat map of that model was read off.
    """
    means = _read("figure_heatmap_means")
    found = means[(means.figure == figure) & (means.model == model)]
    if found.empty:
        raise unknown(f"heat map of {figure}", model, sorted(set(means[means.figure == figure].model)))
    return found[["layer_index", "cosine_mean", "error"]].reset_index(drop=True)


SPREAD = 0.5  # of `size_effect`: half the way from GPT2 to GPT2-xl counts, where the paper draws and states no number


def size_effect() -> float:
    """Published late-half mu of GPT2-xl minus that of GPT2, from the means read off Fig. 2a: what size does to it.

    The smallest effects on mu are named as parts of it, since dispersion is meant to give a small model the geometry of
    a large one.
    """
    small, large = (
        float(metrics.mean_of_last(mean_cosines("Fig2a", model).cosine_mean.to_numpy(), None))
        for model in ("GPT2", "GPT2-xl")
    )
    return large - small
