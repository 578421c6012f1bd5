"""The losses against collapse, written out in NumPy token by token, and each of them as a function of z alone."""

import math

import numpy as np
import torch

from decondense import losses

OF_A_TEXT = ("cosine", "uniformity", "koleo", "hyperspherical_energy", "simctg", "log_det", "rank_floor", "info_nce")
OF_A_BATCH = ("variance", "covariance", "vicreg", "sigreg", "isoscore", "barlow")
NAMES = OF_A_TEXT + OF_A_BATCH
SEVERAL_TEXTS = ("variance", "covariance", "vicreg")
EPS = 0.01


def tokens(*shape, seed=0, scale=1.0, shift=0.3):
    z = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return scale * (z + shift)


def other(z):
    """Another view of tokens, element by element, so that it goes along with any choice or order of them."""
    return z + 0.3 * (torch.cos(2 * z) if isinstance(z, torch.Tensor) else np.cos(2 * z))


def of(name, **options):
    """A loss as a function of z: with `other` as its second view, and the same random lines at each call."""

    def loss(z, **how):
        if name in ("info_nce", "barlow"):
            how = {"views": other(z if z.dtype == torch.float64 else z.float())} | how
        if name == "sigreg" and "generator" not in options | how:
            how["generator"] = torch.Generator().manual_seed(0)
        return losses.get(name, **options)(z, **how)

    return loss


def gradient(loss, z):
    z = z.detach().clone().requires_grad_()
    return torch.autograd.grad(loss(z), z)[0]


# --- by their formulas ----------------------------------------------------------------------------------------------


def directions(x, eps):
    return np.array([row / (math.sqrt(row @ row) + eps) for row in x])


def pairs(n):
    return [(i, j) for i in range(n) for j in range(n) if i != j]


def cosine(z, eps=EPS, n_squared=False):
    u = directions(z, eps)
    total = sum(u[i] @ u[j] for i, j in pairs(len(u)))
    return total / (len(u) ** 2 if n_squared else len(u) * (len(u) - 1))


def uniformity(z, t=2.0, eps=EPS):
    u = directions(z, eps)
    return math.log(np.mean([math.exp(-t * (2 - 2 * u[i] @ u[j])) for i, j in pairs(len(u))]))


def hyperspherical_energy(z, power=1.0, eps=EPS):
    u = directions(z, eps)
    return np.mean([(2 - 2 * u[i] @ u[j] + eps) ** (-power / 2) for i, j in pairs(len(u))])


def simctg(z, margin=0.5, eps=EPS):
    u = directions(z, eps)
    return np.mean([max(0.0, margin - 1 + u[i] @ u[j]) for i, j in pairs(len(u))])


def koleo(z, eps=EPS):
    u = directions(z, eps)
    nearest = [max((u[i] @ u[j], j) for j in range(len(u)) if j != i)[1] for i in range(len(u))]
    return -np.mean([math.log(np.linalg.norm(u[i] - u[j]) + eps) for i, j in enumerate(nearest)])


def log_det(z, distortion=0.5, eps=EPS):
    u, d = directions(z, eps), z.shape[1]
    return -np.linalg.slogdet(np.eye(d) + d / (len(u) * distortion**2) * u.T @ u)[1] / (2 * d)


def rank_floor(z, floor=0.9, eps=EPS):
    squares = np.linalg.svd(directions(z, eps), compute_uv=False) ** 2
    shares = [s / squares.sum() for s in squares if s > 1e-14 * squares.sum()]
    entropy = -sum(p * math.log(p) for p in shares)
    return max(0.0, floor - entropy / math.log(max(min(z.shape), 2)))


def info_nce(z, temperature=0.05, eps=EPS):
    u, v = directions(z, eps), directions(other(z), eps)
    found = [[math.exp(a @ b / temperature) for b in v] for a in u]
    return -np.mean([math.log(row[i] / sum(row)) for i, row in enumerate(found)])


def at_one_length(z, eps):
    return directions(z, eps) * math.sqrt(z.shape[1])


def variance(z, margin=1.0, eps=EPS):
    x = at_one_length(z, eps)
    return np.mean([max(0.0, margin - math.sqrt(column.var(ddof=1) + 1e-4)) for column in x.T])


def covariance(z, eps=EPS):
    c = np.cov(at_one_length(z, eps), rowvar=False)
    return sum(c[a, b] ** 2 for a, b in pairs(len(c))) / len(c)


def vicreg(z, variance_weight=25.0, covariance_weight=1.0, margin=1.0, eps=EPS):
    return variance_weight * variance(z, margin, eps) + covariance_weight * covariance(z, eps)


def isoscore(z, isotropic=True, eps=EPS):
    """IsoScore step by step, from the variances along the principal axes."""
    d = z.shape[1]
    values = np.linalg.eigvalsh(np.cov(at_one_length(z, eps), rowvar=False))
    normed = math.sqrt(d) * values / np.linalg.norm(values)
    defect = np.linalg.norm(normed - 1) / math.sqrt(2 * (d - math.sqrt(d)))
    share = (d - defect**2 * (d - math.sqrt(d))) ** 2 / d**2
    score = (d * share - 1) / (d - 1)
    return 1 - score if isotropic else score


def sigreg(z, slices=256, eps=EPS):
    x = at_one_length(z, eps)
    lines = torch.randn(x.shape[1], slices, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    return np.mean([epps_pulley(x @ line / np.linalg.norm(line)) for line in lines.T])


def epps_pulley(s):
    t = np.linspace(-3, 3, 33)
    apart = np.array([np.exp(1j * one * s).mean() for one in t]) - np.exp(-(t**2) / 2)
    return np.trapezoid(abs(apart) ** 2 * np.exp(-(t**2) / 2), t)


def barlow(z, off_diagonal=0.005, eps=1e-3):
    first, second = ((x - x.mean(0)) / (x.std(0) + eps) for x in (z, other(z)))
    c = np.array([[np.mean(a * b) for b in second.T] for a in first.T])
    apart = sum((1 - c[a, a]) ** 2 for a in range(len(c)))
    return (apart + off_diagonal * sum(c[a, b] ** 2 for a, b in pairs(len(c)))) / len(c)


def reference(name, texts, **options):
    """The mean over the texts, or the value of their tokens together."""
    texts = [text.detach().double().numpy() for text in texts]
    formula = globals()[name]
    if name in OF_A_BATCH:
        return formula(np.concatenate(texts), **options)
    return np.mean([formula(text, **options) for text in texts])
