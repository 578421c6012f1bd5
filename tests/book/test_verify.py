"""Committed records agree with themselves and with git; numbers that were changed, hashes and all, do not."""

import io
import json
import subprocess
from contextlib import suppress
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from made_runs import NO_CHECK

from decondense import records
from decondense.book import profiles, verify
from decondense.runs import grid, store

ROOT = Path(__file__).parents[2]
EVERY = sorted(records.committed_folder().glob("*-seed*.json"))
# Numbers that stand alone: times, shares of forces, results of the two theories, cosines within texts and between. The
# history holds them, and the claims made of them.
ALONE = (
    "after-pretraining-", "anticollapse-cost-", "bench-", "capacity-rounded-", "cones-", "expansion-", "probe-",
    "quantisation-of-", "resist-initial-", "signal-", "static-", "where-",
)  # fmt: skip


def halved(value):
    """Every float in it halved; whole numbers, words and what stands for a missing number stay."""
    if isinstance(value, dict):
        return {name: halved(inside) for name, inside in value.items()}
    if isinstance(value, list):
        return [halved(inside) for inside in value]
    return value / 2 if isinstance(value, float) else value


def tampered(
    path, folder, change=halved, change_arrays=lambda name, array: array / 2 if array.dtype.kind == "f" else array
):
    """A copy of a record with other numbers, written as records are written: all its hashes are right."""
    whole = records.read(path)
    content = {name: part for name, part in whole.content.items() if name not in ("arrays", "results")}
    content["results"] = change(whole.content["results"])
    arrays = None
    if whole.arrays:
        with np.load(whole.arrays) as file:
            kept = {name: change_arrays(name, file[name]) for name in file.files}
        np.savez(buffer := io.BytesIO(), **kept)
        arrays = buffer.getvalue()
    records.write(folder / path.name, content, arrays)
    return records.read(folder / path.name)


def test_every_committed_record_agrees_with_itself():
    found = {path.name: verify.contradictions(records.read(path)) for path in EVERY}
    assert {name: said for name, said in found.items() if said} == {}
    assert len(found) > 200


def test_a_record_with_every_number_halved_contradicts_itself(tmp_path):
    """One of each experiment, its hashes made right again."""
    kinds = {path.name.partition("-seed")[0]: path for path in EVERY if not path.name.startswith(ALONE)}
    silent = [kind for kind, path in kinds.items() if not verify.contradictions(tampered(path, tmp_path))]
    assert silent == []
    assert len(kinds) > 40


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (("mu", "mu_per_text", "mu_off_diagonal_per_text"), "mu is not the mean of its histogram"),
        (("histogram",), "a density does not sum to 1"),
        (("item_score",), "an answer is neither right nor wrong"),
    ],
)
@pytest.mark.parametrize("kind", ["midtraining-smollm2-135m-instruct-train-", "fig4-init-gpt2-seed"])
def test_what_is_halved_alone_is_named(tmp_path, kind, arrays, said):
    path = next(path for path in EVERY if path.name.startswith(kind))
    change = lambda name, array: array / 2 if name in arrays else array
    found = verify.contradictions(tampered(path, tmp_path, lambda results: results, change))
    assert (said in found) == (kind.startswith("mid") or "item_score" not in arrays)


def test_a_run_of_today_is_held_to_half_a_bin(monkeypatch):
    path = next(path for path in EVERY if path.name.endswith("-dispersion-seed3-7e7d17730718.json"))
    assert verify.contradictions(records.read(path)) == []
    monkeypatch.setattr(verify, "BINNED_EXACTLY_SINCE", "2026-01-01")
    assert verify.contradictions(records.read(path)) == ["mu is not the mean of its histogram"]


def test_a_summary_of_other_numbers_and_another_schedule_are_named(tmp_path):
    measured = next(path for path in EVERY if path.name.startswith("fig4-init-gpt2-seed"))
    change = lambda results: results | {"rho": results["rho"] - 0.5}
    found = verify.contradictions(tampered(measured, tmp_path, change, lambda _, array: array))
    assert found == ["rho of the summary is not that of the arrays"]
    trained = next(path for path in EVERY if path.name.startswith("table5-gpt2-train"))
    found = verify.contradictions(tampered(trained, tmp_path, halved, lambda _, array: array))
    assert found == ["the learning rate is not that of the schedule"]


# --- the claims that were made of them ------------------------------------------------------------------------------

# Whose claims rest on committed training runs alone. Those of fig5, table1, linear, signal and the three audits are
# tested with their chapters; what is left measures untrained models on a corpus, which takes long.
NOTEBOOKS = ("fig3", "fig7", "table2", "table3", "table4", "table5")


@pytest.fixture
def claims(monkeypatch):
    """The claims that a notebook makes of the committed records now: nothing is trained or checked by a run."""
    made = {}
    monkeypatch.setattr(grid, "plan", lambda *_: None)
    monkeypatch.setattr(grid, "check_run", lambda *_: NO_CHECK)
    monkeypatch.setattr(store, "find", _committed)
    monkeypatch.setattr("decondense.paper.claims.save", lambda name, _, claims, *__: made.update({name: claims}))

    def of(notebook):
        (path,) = (ROOT / "notebooks").glob(f"*_{notebook}_*.ipynb")
        code = [cell["source"] for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        names = {}
        for number, source in enumerate(code[1:]):  # after the installation
            with suppress(Exception):  # of a cell that shows a table or a figure; the claims need all others
                exec("".join(source), names)  # noqa: S102, our own notebook
            names |= {} if number else profiles.parameters("laptop", notebook)
        return [claim.as_dict() for claim in made.get(path.stem, []) if "check run" not in claim.claim]

    return of


def _committed(config, _):
    return records._from_committed(f"{config.name}-seed{config.seed}", json.loads(json.dumps(config.as_dict())))


def page(notebook):
    said = json.loads((ROOT / "book" / "results" / f"verdicts-{notebook}.json").read_text())["claims"]
    return [claim for claim in said if "check run" not in claim["claim"]]


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_committed_claims_follow_from_the_committed_records(claims, notebook):
    """Every verdict, and every number beside it; and no figure of the cells stays open for other tests to find."""
    assert claims(notebook) == page(notebook)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("notebook", ["fig7", "fig3"])
def test_one_halved_record_changes_the_claims(claims, notebook, tmp_path, monkeypatch):
    results = records.committed_folder()
    names = json.loads((results / f"verdicts-{notebook}.json").read_text())["records"]
    for path in results.glob("*-seed*"):
        (tmp_path / path.name).symlink_to(path)
    path = tmp_path / names[-1]
    path.unlink()
    tampered(results / names[-1], tmp_path)
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path)
    found = claims(notebook)
    assert len(found) == len(page(notebook))
    assert found != page(notebook)


# --- git ------------------------------------------------------------------------------------------------------------


def git(folder, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def test_no_record_differs_from_the_last_commit():
    """As the tests above, also in the clone of depth 1 that CI makes."""
    try:
        found = verify.uncommitted(ROOT)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no clone: {error}")
    assert found == []


def test_no_committed_record_was_ever_changed():
    try:
        found = verify.rewritten(ROOT)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        pytest.skip(f"no clone with its history, which this test alone reads: {error}")
    assert found == []


MEASURED = {"results": {"mu": 1.0, "model": {"bits": "4", "revision": None}}, "sha256": "ab"}
CORRECTED = {
    "results": {"mu": 1.0, "model": {"bits": "6.2", "types": 2, "revision": None}},
    "corrected": {"was": {"results.model.bits": "4", "results.model.types": None}, "why": "typed by hand"},
    "sha256": "cd",
}


def test_a_correction_can_be_undone():
    assert verify.undone(CORRECTED) == verify.undone(MEASURED) == {"results": MEASURED["results"]}


@pytest.mark.parametrize(
    "change",
    [
        {"results": CORRECTED["results"] | {"mu": 0.5}},
        {"results": {"mu": 0.5, "model": MEASURED["results"]["model"]}, "corrected": {"was": {"results.mu": 1.0}}},
        {"results": {"mu": 0.5, "model": MEASURED["results"]["model"]}, "corrected": {}},
        {"config": {"seed": 1}},
        {"corrected": {"was": {"results.model.bits": "4"}}},
    ],
)
def test_nothing_else_passes_for_a_correction(clone, change):
    path = clone / "book" / "results" / "a-seed0-0123.json"
    for content in (MEASURED, CORRECTED | change):
        path.write_text(json.dumps(content))
        git(clone, "commit", "-qam", "changed")
    assert verify.undone(CORRECTED | change) != verify.undone(MEASURED)
    assert verify.rewritten(clone) == ["book/results/a-seed0-0123.json"]


def test_a_corrected_record_counts_as_unchanged(clone):
    path = clone / "book" / "results" / "d-seed0-0123.json"
    for content in (MEASURED, CORRECTED):
        path.write_text(json.dumps(content))
        git(clone, "add", ".")
        git(clone, "commit", "-qm", "corrected")
    assert verify.rewritten(clone) == []


@pytest.fixture
def clone(tmp_path):
    """A repository with three records."""
    results = tmp_path / "book" / "results"
    results.mkdir(parents=True)
    git(tmp_path, "init", "-q")
    for name in "abc":
        (results / f"{name}-seed0-0123.json").write_text(json.dumps({"mu": 1.0}))
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "results")
    return tmp_path


def test_a_record_that_is_changed_is_found_however_it_is_committed(clone):
    a, b, c = sorted((clone / "book" / "results").iterdir())
    assert verify.rewritten(clone) == []
    a.write_text(json.dumps({"mu": 0.5}))  # not committed
    assert verify.rewritten(clone) == ["book/results/a-seed0-0123.json"]
    git(clone, "commit", "-qam", "changed")
    b.unlink()
    git(clone, "commit", "-qam", "removed")
    assert verify.rewritten(clone) == ["book/results/a-seed0-0123.json"]  # a record may go
    b.write_text(json.dumps({"mu": 0.5}))
    git(clone, "add", ".")
    git(clone, "commit", "-qm", "and made again")
    c.with_name("d-seed0-4567.json").write_text(json.dumps({"mu": 0.5}))  # another record has another name
    git(clone, "add", ".")
    git(clone, "commit", "-qm", "a new one")
    assert verify.rewritten(clone) == [f"book/results/{name}-seed0-0123.json" for name in "ab"]


def test_a_clone_without_its_history_is_refused(clone, tmp_path_factory):
    (clone / "more").touch()
    git(clone, "add", ".")
    git(clone, "commit", "-qm", "more")
    shallow = tmp_path_factory.mktemp("shallow")
    git(shallow, "clone", "-q", "--depth", "1", f"file://{clone}", "here")
    here = shallow / "here"
    with pytest.raises(ValueError, match="git fetch --unshallow"):
        verify.rewritten(here)
    assert verify.uncommitted(here) == []
    (here / "book" / "results" / "a-seed0-0123.json").write_text(json.dumps({"mu": 0.5}))
    assert verify.uncommitted(here) == ["book/results/a-seed0-0123.json"]
