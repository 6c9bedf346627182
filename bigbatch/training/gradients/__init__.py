"""Gradient estimators, one a file: each leaves in `.grad` an estimate of the mean gradient of one batch.

One training step is one estimator, then clipping, then the optimizer. An estimator is called as
`estimator(model, criterion, batch, step=...)`, see bigbatch.training.gradients.base, and finds the gradients empty.
"""
