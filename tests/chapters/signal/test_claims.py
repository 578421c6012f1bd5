"""Claims and the published beside the recursion: compared at every entry."""

import json

import numpy as np
import pandas as pd

from decondense import paper, records, surveys
from decondense.chapters.signal import claims, measurements
from decondense.chapters.signal import recursion as signal
from decondense.condensation import Condensation
from decondense.paper.verdicts import NOT_REPRODUCED, REPRODUCED

CHECK = records.beside_record([("x", 1.0, 1.0, 0.1)])


def words(*arguments):
    return [claim.verdict.word for claim in claims.every(*arguments, CHECK)]


def test_claims_compare_every_entry(condensation):
    mu = condensation.mu
    right, wrong = (signal.Propagation(mu + shift, mu) for shift in (0.01, 0.2))
    here = {"toy": mu}
    assert words({"toy": right}, [condensation], here) == [REPRODUCED] * 4  # mu of the toy rises at every entry
    assert words({"toy": wrong}, [condensation], here)[2] == NOT_REPRODUCED
    both = here | {"other": mu + 0.1}
    assert words({"toy": right, "other": right}, [condensation], both)[2:4] == [REPRODUCED, NOT_REPRODUCED]
    found = claims.every({"toy": right, "other": right}, [condensation], both, CHECK)
    assert found[3].claim.startswith("other: ")
    points = paper.table("figure_points")
    rho = points[(points.figure == "Fig4") & (points.model == "S1-0") & (points.metric == "spearman")].value.item()
    assert f"{rho:.3f}" in found[0].published


def test_claims_of_the_committed_page_follow_from_its_records():
    page = json.loads((records.committed_folder() / "verdicts-signal.json").read_text(encoding="utf-8"))
    kept = [records.read(records.committed_folder() / name) for name in page["records"]]
    of = lambda prefix: [record for record in kept if record.path.name.startswith(prefix)]
    heads = next(r.content for r in of("signal-predictions") if r.content["config"]["arguments"][2] > 0)
    predicted = measurements.propagations(pd.DataFrame.from_dict(heads["results"]["table"], orient="tight"))
    read = [Condensation.load(record.arrays) for record in of("condensation-")]
    here = sorted(read, key=lambda result: list(predicted).index(result.name))
    forecast = [surveys.Measured(Condensation.load(record.arrays), record) for record in of("fig4-init-")]
    mu = measurements.profiles(here, {"qwen3-4b": forecast})
    found = claims.every(predicted, here, mu, records.beside_record([("x", 1.0, 1.0, 0.1)] * 4))
    assert [claim.as_dict() for claim in found] == page["claims"]


def test_start_and_trained_have_three_entries_of_each():
    table = claims.start_and_trained([np.array([1, 2, 1, 3])], {"gpt2": "GPT2"})
    assert table.index.tolist() == [("gpt2", "initial"), ("gpt2", "trained")]
    assert table.loc[("gpt2", "trained"), "middle"] == paper.mean_cosines("Fig2a", "GPT2").cosine_mean[6]
    start = signal.predict(signal.architecture("gpt2"), [np.array([1, 2, 1, 3])], draws=0).mu
    assert table.loc[("gpt2", "initial")].tolist() == [start[0], start[6], start[12]]
