"""Training with large batches: ghost batch norm, regimes, gradient estimators, and what is measured on the networks."""
