"""Retraining the network on pairs of slices of the user's own, or on a noisy volume alone."""
