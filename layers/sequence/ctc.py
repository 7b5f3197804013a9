"""Connectionist temporal classification: how likely labels are, whatever steps they are shown at.

Source: Graves, Fernandez, Gomez and Schmidhuber (2006), "Connectionist temporal classification"; in the logarithm's
domain, as in chapter 7 of Graves (2012), "Supervised sequence labelling with recurrent neural networks".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def log_softmax(x: np.ndarray) -> np.ndarray:
    """Along the last axis, in float64."""
    shifted = x.astype(np.float64) - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def loss_and_occupancy(
    log_y: np.ndarray, labels: Sequence[int], blank: int, merge_repeated: bool = True
) -> tuple[float, np.ndarray]:
    """-log of the probability of the labels, and which part of it each class has at each step, T x C.

    log_y: T x C, the logarithms of the classes' probabilities. merge_repeated: a label that is shown in steps on end
    counts once. The gradient at what log_y is the softmax of is exp(log_y) - occupancy. Where no path shows the
    labels: infinity, and zeros.
    """
    places = np.full(2 * len(labels) + 1, blank)
    places[1::2] = labels
    shown = log_y[:, places]
    may_stay = (places == blank) | merge_repeated
    may_skip = places != blank
    may_skip[:2] = False
    may_skip[2:] &= (places[2:] != places[:-2]) | (not merge_repeated)
    alpha = _forward_variables(shown, may_stay, may_skip)
    # the way back is the way forth of the mirrored sequence; a skip from u to u + 2 is one of u + 2
    mirrored_skip = np.concatenate([may_skip[2:], [False] * min(2, len(places))])[::-1]
    back = _forward_variables(shown[::-1, ::-1], may_stay[::-1], mirrored_skip)[::-1, ::-1]
    log_p = np.logaddexp.reduce(alpha[-1, -2:])
    if log_p == -np.inf:
        return np.inf, np.zeros_like(log_y)
    classes = places[:, None] == np.arange(log_y.shape[1])
    through = alpha + back  # has what is shown at each place twice
    possible = shown > -np.inf
    np.subtract(through, shown, out=through, where=possible)
    return -log_p, np.exp(through - log_p) @ classes


def _forward_variables(shown: np.ndarray, may_stay: np.ndarray, may_skip: np.ndarray) -> np.ndarray:
    """T x places: the logarithm of the probability of all paths that start with the sequence up to each place."""
    alpha = np.full(shown.shape, -np.inf)
    alpha[0, :2] = shown[0, :2]
    for t in range(1, len(alpha)):
        before = alpha[t - 1]
        alpha[t] = np.where(may_stay, before, -np.inf)
        alpha[t, 1:] = np.logaddexp(alpha[t, 1:], before[:-1])
        alpha[t, 2:] = np.logaddexp(alpha[t, 2:], np.where(may_skip[2:], before[:-2], -np.inf))
        alpha[t] += shown[t]
    return alpha


def greedy(scores: np.ndarray, blank: int, merge_repeated: bool = True) -> list[int]:
    """The labels that the best class of each step shows; scores: T x C. The first of equal ones is the best."""
    best = scores.argmax(axis=1)
    return best[_shown(best, blank, merge_repeated)].tolist()


def greedy_rows(
    scores: np.ndarray, ends: Sequence[int], blank: int, merge_repeated: bool, out: np.ndarray
) -> None:
    """out, N x T: the labels that `greedy` finds in the first ends[n] steps of each sequence, and -1 behind them.

    scores: T x N x C.
    """
    best = scores.argmax(axis=2)
    shown = _shown(best, blank, merge_repeated) & (np.arange(len(best))[:, None] < np.asarray(ends))
    steps, sequences = np.nonzero(shown)
    out[...] = -1
    out[sequences, shown.cumsum(axis=0)[steps, sequences] - 1] = best[steps, sequences]


def _shown(best: np.ndarray, blank: int, merge_repeated: bool) -> np.ndarray:
    """At which steps, along the first axis, the best class is a label, and another one than before."""
    shown = best != blank
    if merge_repeated:
        shown[1:] &= best[1:] != best[:-1]
    return shown
