"""Steps from size to size, counted by their paired intervals."""

from dataclasses import replace

from decondense.chapters import figS3


def test_a_span_that_reaches_the_embedding_does_not_fit(condensation):
    entries = len(condensation.mu)
    assert figS3.fits([condensation], entries - 1)
    assert figS3.fits([condensation], None)
    assert not figS3.fits([condensation], entries)


def test_steps_are_counted_by_their_paired_intervals(condensation):
    falling = replace(condensation, mu_per_text=condensation.mu_per_text[:, ::-1].copy())
    members = [condensation, falling, falling, condensation]
    found = figS3.steps({"toy": members, "one": members[:1]}, {"last 1": 1, "too many": 5})
    for metric in ("Spearman ρ", "Kendall τ", "last 1"):
        assert found.loc[metric].to_dict() == {"falls": 1, "rises": 1, "within the uncertainty": 1}
    assert found.loc["too many"].to_dict() == {"falls": 0, "rises": 0, "within the uncertainty": 0}
