"""Tables as HTML: what a row and a filter say, escaped."""

from decondense.book import tables


def test_a_row_carries_what_it_is_filtered_by():
    assert tables.row(("<b>a</b>", 1), page='"x"') == '<tr data-page="&quot;x&quot;"><td><b>a</b></td><td>1</td></tr>'


def test_a_table_scrolls_and_has_a_head():
    made = tables.table("claims", ("one", "two"), [tables.row((1, 2))])
    assert made.startswith('<div class="scroll"><table class="claims">')
    assert '<th scope="col">one</th><th scope="col">two</th>' in made
    assert made.count("<tr") == 2


def test_a_filter_offers_all_and_is_hidden_until_a_script_shows_it():
    form = tables.filters("claims", {"kind": ["a", "b & c"]}, {"kind": "a"})
    assert form.startswith('<form class="filter" data-table="claims" hidden>')
    assert '<option value="">all</option>' in form
    assert '<option value="a" selected>a</option>' in form
    assert '<option value="b &amp; c">b &amp; c</option>' in form
