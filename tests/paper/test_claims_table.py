"""A claim as a row: the verdict comes first, nothing in it is read as HTML."""

from pathlib import Path

from decondense.paper import claims_table

CSS = Path(__file__).resolve().parents[1] / "book" / "_static" / "book.css"
CLAIM = {"claim": "rho < 0 & | falls", "source": "Fig. 2b", "published": "0.4", "here": "0.5", "tolerance": "> 0.1"}


def test_every_verdict_has_a_badge_that_the_style_sheet_knows():
    for verdict, css in claims_table.BADGES.items():
        assert f'<span class="verdict {css}">{verdict}</span>' in claims_table.badge(verdict)
        assert f".{css} " in CSS.read_text()


def test_a_row_has_a_cell_for_each_column_and_is_escaped():
    row = claims_table.cells(CLAIM | {"verdict": "partly", "why": "because <b>"})
    assert row == (
        claims_table.badge("partly"),
        "rho &lt; 0 &amp; | falls<br><small>Fig. 2b</small>",
        "0.4",
        "0.5<br><small>because &lt;b&gt;</small>",
        "&gt; 0.1",
    )
    assert len(row) == len(claims_table.COLUMNS)


def test_on_a_narrow_screen_the_style_sheet_says_what_each_cell_is():
    for number, name in enumerate(claims_table.COLUMNS, start=1):
        if number > 2:  # a badge and a claim need no label
            assert f'table.claims td:nth-child({number})::before {{ content: "{name}: "; }}' in CSS.read_text()
