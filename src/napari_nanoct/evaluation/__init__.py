"""Restoration judged against a known truth: by sample, beside the baselines."""
