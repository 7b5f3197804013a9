"""Some nets of several layers with extreme params and shapes: the fast engine makes the strict one's numbers.

scripts/sweep_extremes.py --chains goes through thousands.
"""

import pytest

from layers.extreme_chains import attempt_chain, chain


@pytest.mark.parametrize("seed", range(12))
def test_both_engines_agree(seed):
    drawn = chain(seed)
    outcome = attempt_chain(drawn)
    assert outcome.kind in ("ok", "error"), f"{outcome.told}: {drawn.id}"
