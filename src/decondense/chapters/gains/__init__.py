"""The audit of the printed gains: what other items, flips and the choice of checkpoints would make of them."""
