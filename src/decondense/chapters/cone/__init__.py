"""What the cone is made of: what all texts share, what the tokens of one text share, and which part a loss pushes."""
