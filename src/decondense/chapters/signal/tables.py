"""From predictions and measurements to the tables that set them side by side."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from ... import paper
from ...condensation import Condensation
from .measurements import Texts
from .recursion import Propagation, architecture, predict

Mu = dict[str, Float[np.ndarray, "entries"]]  # by model


def propagations(table: pd.DataFrame) -> dict[str, Propagation]:
    """The rows of `predictions`, model by model."""
    return {name: Propagation(*rows.to_numpy().T) for name, rows in table.groupby(level="model", sort=False)}


def profiles(measured: Sequence[Condensation], elsewhere: dict[str, list] | None = None) -> Mu:
    """mu over depth of each model measured here, and the mean over its measurements of each measured `elsewhere`.

    `elsewhere` is what `surveys.untrained.survey` gives.
    """
    others = {
        name: np.mean([one.condensation.mu for one in found], axis=0) for name, found in (elsewhere or {}).items()
    }
    return {r.name: r.mu for r in measured} | others


def errors(predicted: dict[str, Propagation], uniform: dict[str, Propagation], measured: Mu) -> pd.DataFrame:
    """Predicted minus measured mu, a row a measured model: the last entries, mean difference, largest and where it is.

    `largest, uniform`: that of uniform attention.
    """
    rows = {}
    for name, mu in measured.items():
        apart = predicted[name].mu - mu
        rows[name] = {
            "predicted": predicted[name].mu[-1],
            "measured": mu[-1],
            "mean error": apart.mean(),
            "largest": np.abs(apart).max(),
            "at entry": int(np.abs(apart).argmax()),
            "largest, uniform": np.abs(uniform[name].mu - mu).max(),
        }
    return pd.DataFrame.from_dict(rows, orient="index").astype({"at entry": int})


def start_and_trained(texts: Texts, labels: dict[str, str]) -> pd.DataFrame:
    """mu at the first, middle and last entry: predicted at initialisation, and of the trained model in Fig. 2a.

    `labels`: name of a model -> its name in the figure. Index (model, initial or trained). Uniform attention.
    """
    rows = {}
    for name, label in labels.items():
        trained = paper.mean_cosines("Fig2a", label).cosine_mean.to_numpy()
        start = predict(architecture(name), texts, draws=0).mu
        rows |= {(name, "initial"): _three(start), (name, "trained"): _three(trained)}
    return pd.DataFrame(rows, index=["first", "middle", "last"]).T


def _three(mu: np.ndarray) -> np.ndarray:
    """The first, middle and last entry; a model may be less deep than the one of the figure."""
    return mu[[0, len(mu) // 2, -1]]
