"""Benchmarks of rate, latency, accuracy and robustness, against peers or bounds of the same run."""
