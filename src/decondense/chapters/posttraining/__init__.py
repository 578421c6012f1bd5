"""Supervised fine-tuning, preference optimisation and reinforcement learning: what each does to the mean cosine."""
