"""Sizing: what fits into the minutes, the file that keeps it, and the estimate of memory."""

import re

import pytest

from decondense.campaign import plan
from decondense.campaign.plan import Plan, Rate
from decondense.corpora import packed
from decondense.runs import items


@pytest.fixture
def family(tokens):
    return items.runs("family", tiny=True)._replace(least=320, most=3200)  # 10 to 100 steps of 32 tokens


RATES = {"8 wide": Rate(1.0, 2.0), "16 wide": Rate(3.0, 4.0)}


@pytest.mark.parametrize(
    ("seconds", "steps", "seeds"),
    [
        (1e6, 100, [0, 1]),  # the most tokens
        (12 + 8 * 50 + 1, 50, [0, 1]),  # two seeds: 12 s beside the steps, and 8 s a step
        (12 + 8 * 10, 10, [0, 1]),
        (12 + 8 * 10 - 1, 21, [0]),  # the least tokens do not fit twice
        (6 + 4 * 10, 10, [0]),
    ],
)
def test_as_many_seeds_as_designed_and_then_as_many_tokens_as_fit(family, seconds, steps, seeds):
    assert plan.sized(family, RATES, seconds, minutes=9) == (steps, seeds)


def test_too_few_minutes_name_how_many_would_do(family):
    with pytest.raises(plan.TooShort) as caught:
        plan.sized(family, RATES, 20, minutes=1)
    minutes = int(re.search(r"give --minutes (\d+)", str(caught.value))[1])
    assert "1 minutes are too few for one seed of family with 320 tokens a run" in str(caught.value)
    steps, seeds = plan.sized(family, RATES, 20 + 60 * plan.SHARE * (minutes - 1), minutes)
    assert (steps >= 10, seeds) == (True, [0])


def test_no_token_is_seen_twice(family):
    assert plan.no_token_twice(family).most == 40 * 60  # a tokenizer without an end of text
    assert plan.no_token_twice(family._replace(most=320)).most == 320
    with pytest.raises(ValueError, match=r"pocket-small has 2,400 tokens, a run of family needs 9,999: add pieces"):
        plan.no_token_twice(family._replace(least=9999))


def test_the_short_runs_that_choose_a_rate_are_in_the_cost(tokens):
    item = items.runs("width", tiny=True)  # three labels, two of them tuned over two rates
    rates = dict.fromkeys(item.changes, Rate(1.0, 2.0))
    assert plan.cost(item, rates, 3) == (3 * 3 * 2.0 + 4 * 2.0, 3 * 3 * 1.0 + 4 * plan.TUNING)


def test_one_by_one_a_run_has_its_least_tokens_and_all_seeds(tokens):
    """Plain training with its longer runs and the first loss must fit; the rest is for the calls that follow."""
    item = items.runs("anti-collapse", tiny=True)
    first = item._replace(changes=dict(list(item.changes.items())[:2]))
    rates = {"train": Rate(1.0, 10.0), "dispersion": Rate(2.0, 20.0)}
    fixed, of_a_step = plan.cost(first, rates, 2)
    assert fixed == 2 * (10 + 20 + 10) + 10 + 2 * 20
    assert of_a_step == 2 * (1 + 2 + 2.0) + plan.TUNING * (1 + 2 * 2)
    assert plan.sized(first, rates, fixed + of_a_step * 8, minutes=9) == (8, [0, 1])
    assert plan.sized(first, rates, 1e9, minutes=9) == (8, [0, 1])
    with pytest.raises(plan.TooShort, match="too few for 2 seeds of the first two conditions of anti-collapse"):
        plan.sized(first, rates, fixed + of_a_step * 8 - 1, minutes=9)


def test_one_by_one_only_the_first_two_labels_are_measured(tokens, monkeypatch):
    monkeypatch.setattr(plan, "measured_rate", lambda config: Rate(1e-3, 0.0))
    assert list(plan.made(items.runs("anti-collapse", tiny=True), 600).rates) == ["train", "dispersion"]


def test_longer_runs_need_their_tokens_too(tokens):
    item = items.runs("anti-collapse", tiny=True)._replace(least=1201, most=1201)
    with pytest.raises(ValueError, match=r"has 2,400 tokens, a run of anti-collapse needs 2,402: add pieces"):
        plan.no_token_twice(item)


def test_the_rate_is_that_of_a_run_and_leaves_no_record(family, tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    rate = plan.measured_rate(family.shared.changed(**family.changes["8 wide"]))
    assert rate.step > 0
    assert rate.beside >= 0
    assert not (tmp_path / "records").exists()


def test_fewer_seeds_than_the_design_are_refused():
    item = items.runs("family")
    plan.check_design(item)
    with pytest.raises(ValueError, match="The design family_gpu has 5 seeds, and the item has 3"):
        plan.check_design(item._replace(seeds=[0, 1, 2]))


def test_labels_that_differ_in_the_learning_rate_alone_are_measured_once(tokens, monkeypatch):
    item, seen = items.runs("width", tiny=True), []
    monkeypatch.setattr(plan, "measured_rate", lambda config: seen.append(config.shape["n_inner"]) or Rate(1.0, 0.0))
    assert list(plan._measured(item)) == ["8", "16", "16, paper's rate"]
    assert seen == [8, 8, 16]  # the first twice: a process begins slowly


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(family, tmp_path):
    found = Plan("family", 10, 0, [0, 1], RATES, 9.0, "a card", plan.code(), plan.corpus_of(family.shared))
    plan.write(tmp_path / "plan.json", found)
    return found


def test_a_plan_is_read_again(family, kept, tmp_path):
    assert plan.read(tmp_path / "plan.json", family) == kept
    assert plan.read(tmp_path / "none.json", family) is None


@pytest.mark.parametrize(("what", "field"), [("commit", "code"), ("corpus", "corpus")])
def test_a_plan_of_other_code_or_texts_is_refused(family, kept, tmp_path, what, field):
    plan.write(tmp_path / "plan.json", kept._replace(**{field: "0123456789abcdef"}))
    with pytest.raises(ValueError, match=rf"plan.json is of another {what} \(0123456789ab, here .*--out"):
        plan.read(tmp_path / "plan.json", family)


# --- memory -----------------------------------------------------------------------------------------------------------


def test_the_estimate_is_of_weights_blocks_and_logits(family):
    config = family.shared.changed(**family.changes["16 wide"])
    vocabulary = packed.read("packed/pocket-small").header["vocabulary"]
    assert plan.needed_by(config) == 16 * config.parameters() + 2 * 16 * (60 * 2 * 16 + 14 * vocabulary)


def test_what_does_not_fit_is_refused_with_the_estimate(monkeypatch):
    monkeypatch.setattr(plan, "free_memory", lambda: 2**30)
    plan.refuse_too_large("family, 8 wide,", 2**30)
    with pytest.raises(MemoryError, match=r"family, 8 wide, needs about 3.5 GiB, 1.0 GiB are free on .* --tiny"):
        plan.refuse_too_large("family, 8 wide,", 7 * 2**29)


@pytest.mark.parametrize(("item", "label"), [("family", "896 wide"), ("width", "4096"), ("pretraining", "train")])
def test_the_largest_models_fit_into_a_card_of_40_gib_by_the_estimate(item, label, tokens):
    found = items.runs(item)
    config = found.shared.changed(**found.changes[label])
    assert 5 < plan.needed_by(config) / 2**30 < 40


def test_memory_is_looked_at_before_anything_is_trained(family, monkeypatch):
    monkeypatch.setattr(plan, "free_memory", lambda: 0)
    monkeypatch.setattr(plan, "measured_rate", lambda config: pytest.fail("trained"))
    with pytest.raises(MemoryError):
        plan.made(family, 60)
