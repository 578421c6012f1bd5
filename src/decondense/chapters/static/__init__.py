"""Static embeddings: the cone before Transformers, its tie to frequency, and cures applied after training."""
