"""Claims and the published beside the recursion: compared at every entry."""

import json

import pandas as pd

from decondense import paper, records, surveys
from decondense.chapters.signal import claims, tables
from decondense.chapters.signal import recursion as signal
from decondense.condensation import Condensation
from decondense.paper.verdicts import CONTRADICTED, PARTLY, REPRODUCED

CHECK = records.beside_record([("x", 1.0, 1.0, 0.1)])


def words(*arguments):
    return [claim.verdict.word for claim in claims.claims(*arguments, CHECK)]


def test_a_model_counts_if_every_entry_is_met(condensation):
    mu = condensation.mu
    right, wrong = (signal.Propagation(mu + shift, mu) for shift in (0.01, 0.2))
    here = {"toy": mu}
    assert words({"toy": right}, [condensation], here) == [REPRODUCED] * 4  # mu of the toy rises at every entry
    assert words({"toy": wrong}, [condensation], here)[2] == CONTRADICTED
    last = mu.copy()
    last[-1] += 0.07
    both = here | {"other": last}
    assert words({"toy": right, "other": right}, [condensation], both)[2] == PARTLY
    found = claims.claims({"toy": right, "other": right}, [condensation], both, CHECK)
    assert found[2].verdict.why == "1 of 2 models"
    assert f"other 0.060 ({mu[-1] + 0.01:.2f} for {last[-1]:.2f})" in found[2].here
    assert f"{2 * len(mu)} entries" in found[2].rule


def test_what_figure_4_claims_is_not_counted_again(condensation):
    mu = condensation.mu
    found = claims.claims({"toy": signal.Propagation(mu, mu)}, [condensation], {"toy": mu}, CHECK)
    assert all("Figure 4" in claim.repeats for claim in found[:2])
    points = paper.table("figure_points")
    rho = points[(points.figure == "Fig4") & (points.model == "S1-0") & (points.metric == "spearman")].value.item()
    assert f"{rho:.3f}" in found[0].published


def test_claims_of_the_committed_page_follow_from_its_records():
    page = json.loads((records.committed_folder() / "verdicts-signal.json").read_text(encoding="utf-8"))
    kept = [records.read(records.committed_folder() / name) for name in page["records"]]
    of = lambda prefix: [record for record in kept if record.path.name.startswith(prefix)]
    heads = next(r.content for r in of("signal-predictions") if r.content["config"]["arguments"][2] > 0)
    predicted = tables.propagations(pd.DataFrame.from_dict(heads["results"]["table"], orient="tight"))
    read = [Condensation.load(record.arrays) for record in of("condensation-")]
    here = sorted(read, key=lambda result: list(predicted).index(result.name))
    forecast = [surveys.Measured(Condensation.load(record.arrays), record) for record in of("fig4-init-")]
    mu = tables.profiles(here, {"qwen3-4b": forecast})
    found = claims.claims(predicted, here, mu, records.beside_record([("x", 1.0, 1.0, 0.1)] * 4))
    assert [claim.as_dict() for claim in found] == page["claims"]
