"""The HTML report: whole by itself, nothing unescaped, the numbers of the result in it."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from made_condensations import made

from decondense import pairing
from decondense.cli import report
from decondense.per_token import Pooled

PNG = b"\x89PNG not really"


class Page(HTMLParser):
    """Tags that are open, addresses that are asked for, and the text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.addresses, self.text = [], [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def result(condensation):
    model = {"model": "toy", "source": "a shelf", "licence": "MIT", "revision": None, "loss": 1.23456789}
    more = {"model": model, "texts": "files a.txt", "texts_sha256": "ab" * 32, "versions": {"torch": "2.0"}}
    return replace(condensation, settings=condensation.settings | more)


@pytest.fixture
def pair(result):
    falls = replace(result, name="<b>other</b>", mu_per_text=result.mu_per_text[:, ::-1])
    return pairing.compare(result, falls)


def test_measurement_of_one_model(result):
    html = report.measurement([result], [], {"a caption": PNG}, "decondense measure toy", {})
    page = Page(html)
    assert page.open == []
    assert len(page.addresses) == 1
    assert page.addresses[0].startswith("data:image/png;base64,")
    assert "url(" not in html
    assert "http" not in html
    assert "prefers-color-scheme:dark" in html
    assert 'name="viewport"' in html
    for said in (f"{result.rho:+.3f}", f"{result.mu[2]:.4f}", "a shelf", "MIT", "ab" * 32, "torch 2.0", "1.23457"):
        assert said in page.text
    assert "Command\ndecondense measure toy" in page.text
    assert "revision" not in page.text  # what nobody knows is not listed


def test_the_licence_is_never_left_open(result):
    silent = replace(result, settings=result.settings | {"model": {"model": "toy"}})
    assert "licencenot stated by this source" in Page(report.measurement([silent], [], {}, "", {})).text


def test_several_models_with_one_that_failed(result, pair):
    other = replace(result, name=pair.second)
    html = report.measurement([result, other], [pair], {}, "x", {"gone": "no <such> model"})
    page = Page(html)
    assert page.open == []
    assert "Embedding condensation of 2 models" in page.text
    assert "no <such> model" in page.text
    assert f"{pair.second} minus {pair.first}" in page.text
    assert "<b>" not in html
    assert html.count('class="mark"') == 3


def test_a_figure_is_a_png():
    from matplotlib.figure import Figure

    assert report.png(Figure((1, 1))).startswith(b"\x89PNG")


def test_comparison(pair):
    page = Page(report.comparison(pair, {"mu": PNG}, "decondense compare a b", {"toy: source": "a shelf"}))
    assert page.open == []
    for number in pair.numbers:
        assert pairing.sentence(number, pair.first, pair.second) in page.text
    assert all(f"{depth:.3f}" in page.text for depth in pair.depth)


@pytest.mark.parametrize(
    ("mu", "said"),
    [
        (np.linspace(0.1, 0.5, 5) + np.zeros((6, 1)), "it grows with depth, ρ +1.000"),
        (np.linspace(0.5, 0.1, 5) + np.zeros((6, 1)), "it falls with depth, ρ -1.000"),
        (np.random.default_rng(0).random((6, 5)), "includes 0: no trend"),
        (np.linspace(0.1, 0.5, 5)[None], "needs two texts"),
    ],
)
def test_trend_in_a_sentence(mu, said):
    assert said in report.trend(made(mu))


def test_an_interval_that_is_not_there_is_not_marked():
    one = made([[0.1, 0.3, 0.2]], texts="files a.txt")
    pair = pairing.compare(one, replace(one, name="b"))
    html = report.measurement([one], [pair], {}, "x", {})
    assert "no interval" in html
    assert "nan" not in html.lower()


def test_tokens_at_both_ends(result):
    out, in_ = Pooled("<s>\n", 3, -0.25, True), Pooled(" the", 7, 0.875, False)
    page = Page(report.measurement([result], [], {}, "x", {}, {"toy": ([out], [in_])}))
    assert page.open == []
    assert "Tokens furthest in and out of the cone" in page.text
    assert "'<s>\\n' *3-0.250' the'7+0.875" in page.text
    assert "furthest" not in Page(report.measurement([result], [], {}, "x", {})).text


def test_the_report_names_the_resolution_and_a_constant_mu():
    constant = made(0.5 + 1e-3 * np.arange(3) * np.ones((6, 1)), dtype="bfloat16", texts="x")
    assert "no trend, since μ is constant up to rounding (0.01 in bfloat16)" in report.trend(constant)
    html = report.measurement([constant], [], {}, "decondense", {})
    assert "0.01 (bfloat16); smaller differences of μ are rounding" in html
