"""What the controls are: one table with the formula, range, cost and source of each, for docs, report and commands."""

from typing import NamedTuple

from .reference import MASSIVE, TOP

PLAIN = ("", "_without_first", "_without_massive")  # views whose pairs may be of any two texts
AGAINST_OTHERS = (*(f"_without_top_{k}" for k in TOP), "_centred", "_standardised")  # these need the mean of others
VIEWS = PLAIN + AGAINST_OTHERS
SHARES = tuple(f"share_top_{k}" for k in TOP)
TO_MEAN = tuple(f"to_mean_{which}" for which in ("rare", "common", "first_half", "second_half"))
FEWER = ("within_first_quarter", "within_first_half")
_SPECTRUM = (
    "effective_rank", "effective_rank_centred", "participation_ratio", "participation_ratio_centred",
    "intrinsic_dimension",
)  # fmt: skip
SPECTRUM = (*_SPECTRUM, *(f"{name}_without_first" for name in _SPECTRUM))
WITHIN = tuple(f"within{view}" for view in VIEWS)
PER_TEXT = (*WITHIN, *FEWER, "within_different_ids", *SHARES, *TO_MEAN, "massive_tokens")
BETWEEN = (*(f"{part}{view}" for view in VIEWS for part in ("between", "excess")), "between_different_ids")
COSINES = (*WITHIN, *FEWER, "within_different_ids", *TO_MEAN)


class Quantity(NamedTuple):
    """One row of the table; `names` are those of `Controls`."""

    names: tuple[str, ...]
    formula: str
    range: str
    cost: str
    source: str


_of = lambda view: tuple(f"{part}{view}" for part in ("within", "between", "excess"))
QUANTITIES = (
    Quantity(
        ("within",), "mean over pairs of different tokens i, j of one text of <u_i, u_j>, u = z / max(||z||, eps)",
        "[-1/(N-1), 1]", "O(N d)", "mu of the paper without its diagonal",
    ),
    Quantity(
        ("between",), "mean over pairs of different texts s, t of <m_s, m_t>, m = mean of the u of a text",
        "[-1/(T-1), 1]", "O(N d)", "Ethayarajh 2019, with random words",
    ),
    Quantity(
        ("excess",), "within - between; at most 1 - between, so it is small wherever between is near 1", "[-2, 2]",
        "O(1)", "self-similarity less anisotropy, Ethayarajh 2019",
    ),
    Quantity(
        _of("_centred"), "the same of z - c, c = mean of the tokens of other texts", "as those", "O(N d)",
        "Mu & Viswanath 2018",
    ),
    Quantity(
        _of("_standardised"), "the same of (z - c) / s, s = standard deviation of each dimension over these tokens",
        "as those", "O(N d)", "Timkey & van Schijndel 2021",
    ),
    *(
        Quantity(
            _of(f"_without_top_{k}"), f"the same without the {k} dimension{'s' * (k > 1)} with the largest |c_k|",
            "as those", "O(N d)", "rogue dimensions, Timkey & van Schijndel 2021",
        )
        for k in TOP
    ),
    Quantity(
        SHARES, "sum of c_k^2 over these dimensions, divided by ||c||^2", "[0, 1]", "O(d)",
        "Rudman et al. 2022; Timkey & van Schijndel 2021",
    ),
    Quantity(_of("_without_first"), "the same without token 0", "as those", "O(N d)", "Sun et al. 2024"),
    Quantity(
        _of("_without_massive"), f"the same without tokens whose norm is above {MASSIVE} x the median of the text",
        "as those", "O(N d)", "massive activations, Sun et al. 2024",
    ),
    Quantity(
        ("massive_tokens",), "how many such tokens a text has, with those that are not finite", "[0, N]", "O(N)",
        "Sun et al. 2024",
    ),
    Quantity(
        ("within_different_ids", "between_different_ids"),
        "within and between over the pairs of tokens with different ids; between texts a pair weighs 1 / (N_s N_t)",
        "[-1, 1]", "O(N d)", "texts share words, whose embeddings are the same at entry 0",
    ),
    Quantity(
        TO_MEAN[:2],
        "mean over tokens of <u_i, S_i> / ||u_i|| ||S_i||, S_i = sum of the u of the text's tokens with other ids; "
        "rare: its id occurs in the measured texts less often than the median over all tokens, common: all others",
        "[-1, 1]", "O(N d)", "frequency: Gao et al. 2019",
    ),
    Quantity(TO_MEAN[2:], "the same over the first and the second half of the text", "[-1, 1]", "O(N d)", "position"),
    Quantity(FEWER, "within over the first N/4 and N/2 tokens", "as within", "O(N d)", "mu at fewer tokens"),
    Quantity(
        ("effective_rank", "effective_rank_without_first"), "exp(entropy of s_k / sum s), s = singular values of the u",
        "[1, min(N, d)]", 'O(N^2 d + N^3), "all"', "Roy & Vetterli 2007",
    ),
    Quantity(
        ("effective_rank_centred", "effective_rank_centred_without_first"),
        "the same of z less the mean of its own text", "[1, min(N, d)]", 'O(N^2 d + N^3), "all"', "Roy & Vetterli 2007",
    ),
    Quantity(
        ("participation_ratio", "participation_ratio_without_first"),
        "(sum lambda)^2 / sum lambda^2, lambda = eigenvalues of z^T z", "[1, min(N, d)]", 'O(N^2 d), "all"',
        "Rudman et al. 2022",
    ),
    Quantity(
        ("participation_ratio_centred", "participation_ratio_centred_without_first"), "the same of the covariance",
        "[1, min(N, d)]", 'O(N^2 d), "all"', "Rudman et al. 2022",
    ),
    Quantity(
        ("intrinsic_dimension", "intrinsic_dimension_without_first"),
        "N / sum_i ln(r_2i / r_1i), r = distances to the two nearest other tokens", "above 0", 'O(N^2 d), "all"',
        "TwoNN, Facco et al. 2017",
    ),
)  # fmt: skip
