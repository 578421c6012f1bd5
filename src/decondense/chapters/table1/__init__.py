"""Table 1, Fig. 6: what each loss pushes, on two tokens, on a cone of tokens, and on a real layer of a real model."""
