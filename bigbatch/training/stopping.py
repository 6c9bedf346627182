"""End a run before its last epoch, once the network does well enough on what it is trained on.

The accuracy is that of the epoch's batches as they were trained on, dropout and augmentation included, which costs
nothing; SWAP (Gupta et al. 2020, arXiv 2001.02312) ends its first phase so.
"""

from __future__ import annotations

ROUNDING = 1e-9  # percent


class StopRule:
    """Watch the accuracy, percent, while training: `is_reached` says that the run ends, `message` how it went."""

    def __init__(self, accuracy: float, num_epochs: int):
        self._accuracy, self._num_epochs = accuracy, num_epochs
        self.is_reached, self.message = False, ''

    def see(self, epoch: int, train_error1: float) -> None:
        """Take note of a finished epoch."""
        self.is_reached = 100.0 - train_error1 >= self._accuracy - ROUNDING
        came_to = f'{100.0 - train_error1:.2f} % accuracy while training after epoch {epoch} of {self._num_epochs}'
        if self.is_reached:
            self.message = f'stopped at {came_to}: --stop-accuracy {self._accuracy:g} is reached'
        else:
            self.message = f'{came_to}: --stop-accuracy {self._accuracy:g} was not reached'
