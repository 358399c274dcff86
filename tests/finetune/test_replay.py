"""What keeps the network from forgetting: phantoms that nothing is judged by."""

from __future__ import annotations

from napari_nanoct.finetune.replay import JUDGED_SEED, phantom_seed


def test_no_seed_of_a_run_meets_the_phantoms_that_it_is_judged_by() -> None:
    first = [phantom_seed(seed) for seed in range(1000)]
    assert first[:10] == list(range(5001, 5092, 10))
    used = {seed + number for seed in first for number in range(10)}
    assert len(used) == 10 * len(first)
    assert not used & set(range(JUDGED_SEED, 7000))
