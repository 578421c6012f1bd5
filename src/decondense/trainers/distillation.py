"""`DistillationTrainer`: a student learns from a frozen teacher, by its logits or by the geometry of its states."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from .. import hooks
from ..base.errors import unknown
from ..losses.batch import mean_over_sequences, prepare
from ..metrics import unit_rows
from . import DispersionTrainer
from .tokens import tokens_of

KINDS = ("logits", "hidden")
TEMPERATURE = 2.0

Logits = Float[Tensor, "batch tokens vocabulary"]
Mask = Bool[Tensor, "batch tokens"] | Int[Tensor, "batch tokens"]


def divergence(
    student: Logits, teacher: Logits, labels: Int[Tensor, "batch tokens"], temperature: float = TEMPERATURE
) -> Float[Tensor, "predicted"]:
    """T^2 KL(softmax(teacher / T) || softmax(student / T)) in nats, of each token that has a label.

    The logits of a position predict the next one, so the last position takes no part, nor does one whose next label
    is -100 (padding). Range [0, inf). The factor T^2 keeps the size of the gradient at large T. In float32 at least.

    Source: Hinton, Vinyals & Dean 2015, Section 2.
    """
    chosen = labels[:, 1:] != -100
    target, input = (log_softmax(_wide(z[:, :-1][chosen]) / temperature, -1) for z in (teacher, student))
    return temperature**2 * kl_div(input, target, reduction="none", log_target=True).sum(-1)


def relation(
    student: Float[Tensor, "batch tokens width"], teacher: Float[Tensor, "batch tokens other"], mask: Mask | None = None
) -> Float[Tensor, ""]:
    """mean_{i != j} (cos(s_i, s_j) - cos(t_i, t_j))^2 of the tokens of each sequence, averaged over the sequences.

    The two widths may differ: an N x N matrix of cosines has none. Range [0, 4]. The diagonal takes no
    part, nor do padding and sequences with fewer than two tokens. Memory: O(batch N^2). In float32 at least.

    What is matched is the geometry that `metrics` measures: the mean of this matrix is mu.

    Raises
        ValueError: as in `losses`: fewer than two tokens, a mask of another shape.

    Source: Tung & Mori 2019 (similarity-preserving distillation), there over the examples of a batch, here over the
    tokens of a sequence; Park et al. 2019 for relations between outputs as what is distilled.
    """
    s, whole = prepare(student, mask, None, None)
    t, _ = prepare(teacher, mask, None, None)
    s, t = unit_rows(s), unit_rows(t)
    with torch.autocast(s.device.type, enabled=False):
        squares = (s @ s.mT - t @ t.mT).square()
    total = squares.sum((-2, -1)) - squares.diagonal(dim1=-2, dim2=-1).sum(-1)
    return mean_over_sequences(lambda value, n: value / (n * (n - 1)), total, s, whole)


def matched_entries(student_blocks: int, teacher_blocks: int) -> dict[int, int]:
    """For each entry 1..L of the student the teacher's at the same share of the depth, rounded up: never entry 0.

    Source: the uniform mapping of Jiao et al. 2020 (TinyBERT).
    """
    return {entry: -(-entry * teacher_blocks // student_blocks) for entry in range(1, student_blocks + 1)}


class DistillationTrainer(DispersionTrainer):
    """`DispersionTrainer` whose language term is (1 - share) * cross-entropy + share * distillation.

        DistillationTrainer(model=student, teacher=teacher, args=args, train_dataset=data, loss=None)

    teacher
        A causal language model with the student's tokenizer. Put in evaluation mode, without gradients, on the
        student's device; it is not saved with the run.
    kind
        "logits": `divergence`, mean over the tokens that have a label. "hidden": `relation`, mean over the student's
        entries 1..L, each against its `matched_entries`. It has no projection to learn, and it pulls the student's
        geometry straight to the teacher's: a student that ends as condensed as its teacher was asked to.
    share
        In [0, 1]. At 0 the distillation is logged and not trained.
    distillation_temperature
        Of "logits" alone; `None` takes 2.

    Everything else is `DispersionTrainer`'s, the regulariser on top included; so are padding, evaluation (cross-entropy
    alone), accumulation and processes. Logged: `loss_language` (the cross-entropy), `loss_distillation` and
    `loss_regulariser`, each without its share or weight.

    Raises
        ValueError: an unknown kind, a share or temperature out of its range, a temperature with "hidden", a teacher of
            another vocabulary size, without a head, or that is the student itself; and what the parent raises.
        FloatingPointError: a term is no longer finite.
    """

    terms = (*DispersionTrainer.terms, "loss_distillation")

    def __init__(
        self,
        *args,
        teacher: torch.nn.Module,
        kind: Literal["logits", "hidden"] = "logits",
        share: float = 0.5,
        distillation_temperature: float | None = None,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        check(kind, share, distillation_temperature)
        _check_teacher(teacher, self.model)
        self.matched = matched_entries(len(hooks.blocks(self.model)), len(hooks.blocks(teacher)))
        self.teacher = teacher.to(self.args.device).eval().requires_grad_(False)
        self.kind, self.share = kind, share
        self.distillation_temperature = TEMPERATURE if distillation_temperature is None else distillation_temperature

    def language_term(self, model, inputs, items, return_outputs=False):
        """The two terms in their shares."""
        given = dict(inputs)  # the Trainer takes the labels out for a loss function of the user's
        labels = given.pop("labels")
        keep = lambda entry, hidden: hidden if self.kind == "hidden" and entry in self.matched else None
        with hooks.residual_stream(model, keep) as stream:
            cross_entropy, outputs, parts = super().language_term(model, inputs, items, True)
        with torch.set_grad_enabled(self.share > 0):
            if self.kind == "logits":
                distillation = self._from_logits(outputs.logits, given, labels, items)
            else:
                distillation = self._from_states(stream, given) * self._weight_of_mean(items)
        if cross_entropy.isfinite() and not distillation.isfinite():
            self._stop("the distillation", cross_entropy)
        total = (1 - self.share) * cross_entropy + self.share * distillation
        return total, outputs, (*parts, distillation)

    def _from_logits(self, logits: Logits, given: dict, labels: Tensor, items) -> Tensor:
        with torch.no_grad():
            target = self.teacher(**given, use_cache=False).logits
        values = divergence(logits, target, labels, self.distillation_temperature)
        if items is None:
            return values.mean()
        # As the Trainer does with the cross-entropy, which is averaged over the tokens of the whole step.
        processes = self.accelerator.num_processes if self.args.average_tokens_across_devices else 1
        return values.sum() / items * processes

    def _from_states(self, stream: dict[int, Tensor | None], given: dict) -> Tensor:
        first = next(state for state in stream.values() if state is not None)
        if tokens_of(hooks.Pass({0: first}, given)).document_ids is not None:
            raise ValueError("Distillation of 'hidden' states compares whole rows: packed rows need kind='logits'.")
        keep = lambda entry, hidden: hidden if entry in self.matched.values() else None
        with torch.no_grad(), hooks.residual_stream(self.teacher, keep) as target:
            hooks.backbone(self.teacher)(**given, use_cache=False)
        mask = given.get("attention_mask")
        return torch.stack([relation(stream[a], target[b], mask) for a, b in self.matched.items()]).mean()


def _wide(z: Tensor) -> Tensor:
    return z if z.dtype == torch.float64 else z.float()


def check(kind: str, share: float, temperature: float | None) -> None:
    if kind not in KINDS:
        raise unknown("kind of distillation", kind, KINDS)
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie between 0 and 1, got {share}.")
    if temperature is not None and kind != "logits":
        raise ValueError("Only distillation of 'logits' has a temperature. Leave distillation_temperature out.")
    if temperature is not None and not 0 < temperature < float("inf"):
        raise ValueError(f"distillation_temperature must be above 0, got {temperature}.")


def _check_teacher(teacher: torch.nn.Module, student: torch.nn.Module) -> None:
    if teacher is student:
        raise ValueError("The teacher is the student itself, and would be frozen. Give a copy (`copy.deepcopy`).")
    hooks.blocks(teacher)  # says so where it is not a language model at all
    if teacher.get_output_embeddings() is None:
        raise ValueError(f"{type(teacher).__name__} has no language-model head. Give a causal language model.")
    ours, theirs = (len(net.get_input_embeddings().weight) for net in (student, teacher))
    if ours != theirs:
        raise ValueError(
            f"The teacher's vocabulary has {theirs} entries and the student's {ours}. "
            "Give a teacher with the student's tokenizer."
        )
