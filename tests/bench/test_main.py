"""The run of all benchmarks: what it asks for, what it keeps, and what starting takes."""

from pathlib import Path

from decondense import records
from decondense.base import timing
from decondense.bench import __main__


def made(path):
    return records.Record(path, {}, None)


def test_everything_is_asked_for_once(monkeypatch):
    asked = []
    for module, names in (
        (__main__, ("start",)),
        (__main__.losses, ("by_form", "beside_other_work", "in_a_step")),
        (__main__.family, ("by_loss",)),
        (__main__.measurement, ("given", "real", "short_texts")),
    ):
        for name in names:
            monkeypatch.setattr(
                module, name, lambda *a, _name=name, **how: asked.append((_name, a, how)) or made(Path(_name))
            )
    assert len(__main__.everything("python", 4)) == len(asked)
    calls = [(name, str(a), how.get("threads")) for name, a, how in asked]
    assert len(set(calls)) == len(calls)
    assert ("given", "(48, 1600, 100)", 4) in calls
    assert ("by_form", "(2048, 1024)", 1) in calls
    assert ("by_form", "(2048, 1024)", 4) in calls
    assert ("beside_other_work", "(2048, 1024, 4)", 1) in calls
    assert all(how["peer"] == "python" for name, _, how in asked if name in ("given", "real"))


def test_kept_records_replace_earlier_ones_of_benchmarks_only(tmp_path):
    source, committed = tmp_path / "source", tmp_path / "results"
    for folder in (source, committed):
        folder.mkdir()
    (source / "bench-loss-seed0-new.json").write_text("new")
    for name in ("bench-loss-seed0-old.json", "condensation-seed0-abc.json"):
        (committed / name).write_text("old")
    __main__.keep([made(source / "bench-loss-seed0-new.json")], committed)
    assert {path.name for path in committed.iterdir()} == {"bench-loss-seed0-new.json", "condensation-seed0-abc.json"}


def test_start_is_timed(monkeypatch):
    monkeypatch.setattr(__main__, "_corpus", lambda: None)
    results = __main__.start(rounds=1).content["results"]
    seconds = timing.seconds(results["rows"]).iloc[0]
    assert list(seconds.index) == ["bare Python", "import decondense", "decondense --help"]
    assert seconds.gt(0).all()
    assert len(results["corpus"]) == 1


def test_main_measures_and_keeps_in_the_repository(monkeypatch, tmp_path):
    monkeypatch.setattr(__main__, "everything", lambda peer, threads: [made(Path(peer))] * threads)
    monkeypatch.setattr(__main__, "repository_root", lambda: tmp_path)
    kept = []
    monkeypatch.setattr(__main__, "keep", lambda *given: kept.append(given))
    __main__.main(["--peer", "python", "--threads", "3"])
    assert kept == [([made(Path("python"))] * 3, tmp_path / "book" / "results")]
