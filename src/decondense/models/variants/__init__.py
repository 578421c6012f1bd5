"""Llama with one thing changed: small own blocks where Transformers has none that differ in this thing alone.

`blocks`, `linear`, `state_space` and `sphere` hold the blocks, `model` what puts them together, `designs` the names,
with the configurations of Transformers where it has the architecture.
"""
