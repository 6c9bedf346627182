"""What a checkpoint holds of each rank: its random state, its part of the running statistics and of the epoch's sums.

Resumed on as many ranks a run goes on to the last bit as if it had not stopped; on another number the first rank takes
over the whole, and the others begin with random numbers of their own.
"""

from __future__ import annotations

from bigbatch import seeding
from bigbatch.distributed import gather_on_first
from bigbatch.training.parallel import Parallel
from bigbatch.training.report import PartialEpoch
from bigbatch.training.scoring import ScoreSums


def collect_rank_states(parallel: Parallel, partial: PartialEpoch | None) -> dict:
    """Return what a checkpoint holds besides because of ranks, on the first of them; all have to call it."""
    if parallel.ranks.size == 1:
        return {}
    own = {
        'rng': seeding.get_rng_state(),
        'statistics': parallel.statistics.state_dict(),
        'partial': partial.state_dict() if partial else None,
    }
    states = gather_on_first(own, parallel.ranks)
    if not states or not partial:
        return {'ranks': states}
    return {'ranks': states, 'partial': {**partial.state_dict(), 'score_sums': _sum_scores(states)}}


def begin_rank(parallel: Parallel, seed: int) -> None:
    """Give each rank but the first, which goes on with those of one process, random numbers of its own."""
    if not parallel.ranks.is_first:
        seeding.seed_everything(seeding.derive_seed(seed, 'rank', parallel.ranks.rank))


def restore_rank(parallel: Parallel, start: dict, seed: int) -> PartialEpoch | None:
    """Bring a rank into its state in the checkpoint `start`, of which the network has weights and buffers already.

    Returns its part of what the epoch had come to, if it was within one.
    """
    ranks, states = parallel.ranks, start.get('ranks') or []
    own, partial = {}, start.get('partial')
    if len(states) == ranks.size > 1:
        own = states[ranks.rank]
        parallel.statistics.load_state_dict(own['statistics'])
        partial = own['partial']
    if ranks.is_first or own:
        seeding.set_rng_state(own.get('rng') or start['rng'])
    elif not start['step']:  # the first checkpoint, which is made before the ranks begin
        begin_rank(parallel, seed)
    else:
        seeding.seed_everything(seeding.derive_seed(seed, 'rank', ranks.rank, start['step']))
    if partial is None:
        return None
    if not (ranks.is_first or own):  # the first one has the sums of all
        partial = {**partial, 'score_sums': ScoreSums('cpu').state_dict()}
    return PartialEpoch.from_state_dict(partial)


def _sum_scores(states: list[dict]) -> dict:
    """Add up the ScoreSums of the ranks."""
    scores = [state['partial']['score_sums'] for state in states]
    sums = [sum(values) for values in zip(*(each['sums'] for each in scores), strict=True)]
    return {'sums': sums, 'num_examples': sum(each['num_examples'] for each in scores)}
