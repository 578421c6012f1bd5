"""The page of the committed run: rows that differ, and no others."""

from decondense.book import difference


def file(name, **claims):
    made = [
        {"claim": claim, "source": "Fig. 2", "kind": "experiment", "repeats": "", "verdict": verdict, "here": here}
        for claim, (verdict, here) in claims.items()
    ]
    return {name: {"notebook": name, "profile": "laptop", "claims": made, "records": ["a.json"]}}


COMMITTED = file("02_fig2_x", rho=("reproduced", "0.5"), tau=("reproduced", "0.4")) | file("03_fig3_y")


def test_equal_runs_are_one_line():
    page = difference.committed_run(COMMITTED, COMMITTED)
    assert "Nowhere: all 2 claims that both runs tested" in page
    assert "differences" not in page
    assert '<a href="../results/a.json">' in page


def test_only_rows_that_differ_are_shown_with_both_runs():
    here = file("02_fig2_x", rho=("cannot tell", "0.5"), tau=("reproduced", "0.4"), new=("partly", "<1"))
    page = difference.committed_run(COMMITTED, here)
    assert "Of 3 claims that both runs tested, 2 have another verdict or other numbers." in page
    table = page.split('class="differences"')[1].split("</table>")[0]
    assert "tau" not in table
    assert "reproduced</span><br>0.5</td>" in table
    assert "cannot tell</span><br>0.5</td>" in table
    assert "<td>no such claim</td>" in table
    assert "partly</span><br>&lt;1</td>" in table
    assert "Only in the committed run: [](../notebooks/03_fig3_y.ipynb)." in page


def test_a_number_that_moved_is_a_difference():
    here = file("02_fig2_x", rho=("reproduced", "0.6"), tau=("reproduced", "0.4"))
    assert "Of 2 claims that both runs tested, 1 have another verdict" in difference.committed_run(COMMITTED, here)
