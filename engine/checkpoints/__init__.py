"""Models on disk: cards that describe them, weights that are read strictly, never executed."""
