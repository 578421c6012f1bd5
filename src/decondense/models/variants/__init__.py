"""Llama with one thing changed: small own blocks where Transformers has none that differ in this thing alone.

`blocks`, `sphere` and `linear` hold the blocks, `model` what puts them together, `designs` the names, with the
configurations of Transformers where it has the architecture.
"""
