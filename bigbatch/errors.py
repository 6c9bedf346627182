"""The exceptions of the library, and no more."""

from __future__ import annotations


class UserError(ValueError):
    """Name a wrong value, what is wrong with it and what would be right, in one line."""


class DivergedError(RuntimeError):
    """Report that the loss or its gradient stopped being finite."""

    def __init__(self, epoch: int, step: int, lr: float, *, loss: float, grad_norm: float):
        super().__init__(
            f'diverged in epoch {epoch} at step {step}: loss {loss:g}, gradient norm {grad_norm:g}, '
            f'learning rate {lr:g}'
        )


class OtherRankError(RuntimeError):
    """Report that another rank failed, with what it said, its exit status and whether it printed that itself."""

    def __init__(self, message: str, status: int = 1, *, is_told: bool = True):
        super().__init__(message)
        self.status, self.is_told = status, is_told


class Interrupted(KeyboardInterrupt):
    """Tell which signal ended the work, where that left it and what goes on from there."""
