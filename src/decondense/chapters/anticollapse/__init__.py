"""Losses against collapse, side by side: what each sees, and what it does in training at equal steps and equal time."""
