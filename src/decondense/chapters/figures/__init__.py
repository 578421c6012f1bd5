"""The audit of the printed figures: against one another, against the models, and their falls with size."""
