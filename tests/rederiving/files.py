"""Committed records and verdict files, and the published tables, read anew."""

import csv
import json
from functools import cached_property
from pathlib import Path

import numpy as np

PUBLISHED = Path(__file__).parents[2] / "src" / "decondense" / "paper"


class Made:
    """One committed record: its configuration, what it states, and the arrays beside it."""

    def __init__(self, path):
        content = json.loads(path.read_text(encoding="utf-8"))
        self.name, self.config, self.results = path.stem, content["config"], content["results"]
        self._beside = path.with_name(content["arrays"]["file"]) if content.get("arrays") else None

    @cached_property
    def arrays(self):
        if self._beside is None:
            return {}
        with np.load(self._beside, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    @property
    def seed(self):
        return self.config["seed"]

    @property
    def is_run(self):
        """Whether it is a training run, with a look at every checkpoint."""
        return "curve" in self.results

    @cached_property
    def mu_per_text(self):
        """One measurement: texts x entries. A training run: checkpoints x texts x entries."""
        return self.arrays["mu"] if "mu" in self.arrays else self.arrays["mu_per_text"]

    def mu(self, look=-1):
        return (self.mu_per_text[look] if self.is_run else self.mu_per_text).mean(0)

    def scores(self, column="score"):
        """Mean over the tasks of the mean over their items."""
        tasks, values = self.arrays["item_task"], self.arrays[f"item_{column}"]
        return float(np.mean([values[tasks == task].mean() for task in dict.fromkeys(tasks.tolist())]))


def read(folder):
    """Verdict files by id, and the records that they name, by file name."""
    verdicts = {p.stem.partition("-")[2]: json.loads(p.read_text("utf-8")) for p in folder.glob("verdicts-*.json")}
    names = {name for file in verdicts.values() for name in file["records"]}
    return verdicts, {name: Made(folder / name) for name in sorted(names)}


def table(path):
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def heat_map(figure, model):
    rows = [r for r in table(PUBLISHED / "figure_heatmap_means.csv") if (r["figure"], r["model"]) == (figure, model)]
    return np.array([float(r["cosine_mean"]) for r in sorted(rows, key=lambda r: int(r["layer_index"]))])


def averages(name, model=None):
    rows = table(PUBLISHED / f"{name}.csv")
    return [r for r in rows if r["benchmark"] == "average" and model in (None, r["model"])]
