"""Measuring models: a classifier of real images, feature distance, the error of a head."""
