"""Training with large batches: ghost batch norm, regimes, gradient estimators, and what is measured on the networks."""

__version__ = '1.0.0'
