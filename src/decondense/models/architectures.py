"""Which architectures can be measured, and what the entries of each are: found by building each one tiny, not by hand.

`python -m decondense.models.architectures` examines every architecture of architectures.toml with random weights and
writes architectures.csv beside it. A test does the same and compares, and the book shows the table.
"""

import argparse
import csv
import math
import tomllib
import warnings
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .. import hooks
from ..measurement import measure

TABLE = Path(__file__).with_name("architectures.csv")
SHAPE = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
SHAPE |= {"intermediate_size": 48, "vocab_size": 64, "max_position_embeddings": 64, "moe_intermediate_size": 16}
SHAPE |= {"num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1}
SHAPE |= {"topk_group": 1, "first_k_dense_replace": 1, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
TEXT_SHAPE = ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size")
UNIT = 0.05  # the epsilon of a norm takes up to so much off the size of small embeddings
SAME, SHIFTED = "equal", "one block later"


class Row(NamedTuple):
    """What was found for one architecture; `measure` is "yes" or the error that it gives."""

    group: str
    architecture: str
    model: str
    blocks: str = ""
    entries: str = ""
    first: str = ""
    inner: str = ""
    last: str = ""
    hidden_states: str = ""
    padding: str = ""
    measure: str = ""


@cache
def known() -> dict[str, dict[str, dict]]:
    """Group -> `model_type` of transformers -> what its configuration needs to be tiny (architectures.toml)."""
    return tomllib.loads(TABLE.with_suffix(".toml").read_text(encoding="utf-8"))


def build(group: str, name: str) -> nn.Module:
    """A tiny model of an architecture, with seeded random weights, in evaluation mode.

    Decoders come with their head (`AutoModelForCausalLM`), encoders without (`AutoModel`).
    """
    import transformers

    changes = dict(known()[group][name])
    kind, model, without = changes.pop("type", name), changes.pop("model", None), changes.pop("without", [])
    if "text_config" in changes:
        model = "AutoModelForImageTextToText"
        changes["text_config"] = changes["text_config"] | {key: SHAPE[key] for key in TEXT_SHAPE}
    default = transformers.AutoConfig.for_model(kind)
    # A configuration keeps whatever it is given, so only what the architecture knows is set.
    fits = lambda key: key not in without and hasattr(default, key) and _settable(type(default), key)
    config = transformers.AutoConfig.for_model(kind, **{k: v for k, v in SHAPE.items() if fits(k)} | changes)
    model = getattr(transformers, model or ("AutoModel" if group in ("encoder", "refused") else "AutoModelForCausalLM"))
    torch.manual_seed(0)
    return (model.from_config if hasattr(model, "from_config") else model)(config).eval()


def _settable(kind: type, key: str) -> bool:
    found = getattr(kind, key, None)
    return not isinstance(found, property) or found.fset is not None


def examine(group: str, name: str) -> Row:
    """Build one architecture and find out what its entries are and whether `measure` takes it."""
    model = build(group, name)
    row = Row(group, name, type(model).__name__)
    texts = [list(range(3, 23)), list(range(10, 40)), list(range(5, 12))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # texts shorter than max_length
        try:
            alone, together = (measure(model, None, texts, progress=False, batch_tokens=n) for n in (1, 256))
        except Exception as error:
            return row._replace(measure=f"{type(error).__name__}: {error}")
    apart = float(abs(alone.mu_per_text - together.mu_per_text).max())
    return row._replace(padding="no" if apart < 1e-5 else "yes", measure="yes", **_entries(model))


def _entries(model: nn.Module) -> dict[str, str]:
    one, other = torch.arange(3, 27).reshape(2, 12), torch.arange(30, 54).reshape(2, 12)
    entries = stream(model, one)
    weight = hooks.backbone(model).get_input_embeddings().weight.detach()
    texts = (one, other, torch.full_like(one, 5))
    last, inner = ends(model, one, entries[1])
    return {
        "blocks": str(len(hooks.blocks(model))),
        "entries": str(len(entries)),
        "first": first_entry(*(stream(model, ids)[0] for ids in texts), weight[one], weight[other]),
        "inner": "yes" if inner else "no",
        "last": last,
        "hidden_states": agreement(entries, hidden_states(model, one)),
    }


def _run(model: nn.Module, ids: Int[Tensor, "batch tokens"], **how):
    base = hooks.backbone(model)
    with torch.inference_mode():
        return base(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **how)


def stream(model: nn.Module, ids: Int[Tensor, "batch tokens"]) -> list[Tensor]:
    """The entries as the hooks see them, cut to the tokens (Longformer pads to its window while it runs)."""
    with hooks.residual_stream(model, lambda _, hidden: hidden[:, : ids.shape[1]].clone()) as found:
        _run(model, ids)
    return [found[entry] for entry in sorted(found)]


def hidden_states(model: nn.Module, ids: Int[Tensor, "batch tokens"]) -> list[Tensor]:
    """What transformers returns as `hidden_states`; empty where it returns none."""
    return list(_run(model, ids, output_hidden_states=True).hidden_states or [])


def agreement(ours: list[Tensor], theirs: list[Tensor]) -> str:
    """How the entries of the hooks and `hidden_states` agree, bit for bit.

    "equal"; "one block later" where `hidden_states[l]` is our entry l + 1, so that the embeddings are missing there,
    and the output of the last block stands before the final norm's; otherwise which entries are equal.
    """
    same = lambda a, b: a.shape == b.shape and bool(torch.equal(a, b))
    if len(ours) != len(theirs):
        return f"{len(theirs)} of them"
    equal = [same(a, b) for a, b in zip(ours, theirs, strict=True)]
    if all(equal):
        return SAME
    if equal[-1] and all(same(a, b) for a, b in zip(ours[1:-1], theirs[:-2], strict=True)):
        return SHIFTED
    return f"equal at {[entry for entry, is_equal in enumerate(equal) if is_equal]}"


def first_entry(
    one: Float[Tensor, "batch tokens d"],
    other: Float[Tensor, "batch tokens d"],
    repeated: Float[Tensor, "batch tokens d"],
    tokens_of_one: Float[Tensor, "batch tokens e"],
    tokens_of_other: Float[Tensor, "batch tokens e"],
) -> str:
    """What entry 0 is, from two texts, a text that repeats one token, and the rows of the embedding matrix."""
    added = "" if torch.allclose(repeated, repeated[:1, :1], atol=1e-6) else " + positions"
    if one.shape == tokens_of_one.shape:
        by_token, by_entry = tokens_of_one - tokens_of_other, one - other
        scale = float((by_entry * by_token).sum() / by_token.square().sum())
        if torch.allclose(by_entry, scale * by_token, atol=1e-5):
            root = math.sqrt(one.shape[-1])
            times = "" if abs(scale - 1) < 1e-3 else " × √d" if abs(scale / root - 1) < 1e-3 else f" × {scale:.3g}"
            return f"tokens{times}{added}"
        if _is_normed(one):
            return f"norm(tokens{added})"
    return f"projection(tokens{added})"


def _is_normed(z: Float[Tensor, "batch tokens d"]) -> bool:
    """Whether every vector has a mean square of 1, as behind a norm whose weights are 1."""
    return bool(((z.square().mean(-1).sqrt() - 1).abs() < UNIT).all())


def ends(
    model: nn.Module, ids: Int[Tensor, "batch tokens"], second: Float[Tensor, "batch tokens d"]
) -> tuple[str, bool]:
    """The name of the module that the last entry comes out of, empty for a block; whether blocks end in a norm.

    `second` is entry 1, the output of the first block.
    """
    base, blocks = hooks.backbone(model), hooks.blocks(model)
    inside = {id(module) for block in blocks for module in block.modules()}
    name_of = {id(module): name for name, module in base.named_modules() if module is not base}
    made: list[tuple[nn.Module, Tensor]] = []
    keep = lambda module, _args, out: made.append((module, out)) if isinstance(out, Tensor) else None
    handles = [module.register_forward_hook(keep) for module in base.modules()]
    try:
        last = _run(model, ids).last_hidden_state
    finally:
        for handle in handles:
            handle.remove()
    # The first module with this output made it: dropout and containers only hand it on.
    makers = lambda wanted: [m for m, out in made if out.shape == wanted.shape and torch.equal(out, wanted)]
    behind = [name_of[id(module)] for module in makers(last) if id(module) not in inside]
    return (*behind, "")[0], "Norm" in type((*makers(second), None)[0]).__name__


def examine_all() -> list[Row]:
    """Every architecture of architectures.toml, in its order."""
    return [examine(group, name) for group, members in known().items() for name in members]


def read() -> tuple[str, list[Row]]:
    """The version of transformers that the committed table was made with, and its rows."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        version = file.readline().strip().removeprefix("# transformers ")
        return version, [Row(**row) for row in csv.DictReader(file)]


def write(rows: list[Row]) -> None:
    """Write the table that is committed."""
    import transformers

    with TABLE.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# transformers {transformers.__version__}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([Row._fields, *rows])


def parts() -> dict[str, str]:
    """What the page on architectures shows in the place of its comments, by name: tables and counts, in Markdown."""
    version, rows = read()
    taken = [row for row in rows if row.measure == "yes"]
    refused = [(f"`{row.architecture}`", row.measure.partition(": ")[2]) for row in rows if row.measure != "yes"]
    unlike = sorted({f"`{row.architecture}`" for row in taken if row.hidden_states != SAME})
    return {
        "version": version,
        "count": str(len(taken)),
        "kinds": _kinds(taken),
        "unlike": ", ".join(unlike),
        "blind": ", ".join(f"`{name}`" for name in hooks.PADDING_BLIND),
        "refused": _table(("architecture", "what `measure` says"), refused),
        "all": "\n\n".join(_of_group(group, [r for r in taken if r.group == group]) for group in known()).strip(),
    }


def _kinds(rows: list[Row]) -> str:
    """One item of a list for all architectures with the same entries, the most common first."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        kinds.setdefault((row.first, _end(row)), []).append(f"`{row.architecture}`")
    common_first = sorted(kinds.items(), key=lambda item: -len(item[1]))
    return "\n".join(
        f"- **{first}** at entry 0; last {end}: {', '.join(names)}" for (first, end), names in common_first
    )


def _end(row: Row) -> str:
    if row.last and "norm" not in row.last.lower() and "ln_" not in row.last:
        return f"what `{row.last.rpartition('.')[2]}` gives"
    return "the state after the final norm" if row.last else "the output of the last block, which ends in a norm"


def _of_group(group: str, rows: list[Row]) -> str:
    if not rows:
        return ""
    lines = [
        (
            f"`{r.architecture}`",
            r.entries,
            r.first,
            r.inner,
            f"`{r.last}`" if r.last else "the last block",
            r.hidden_states,
        )
        for r in rows
    ]
    head = ("architecture", "entries", "entry 0", "blocks end in a norm", "last entry: output of", "`hidden_states`")
    return f"### {group[0].upper()}{group[1:]}\n\n{_table(head, lines)}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    argparse.ArgumentParser(description="Examine all architectures again, and write architectures.csv.").parse_args()
    write(examine_all())
