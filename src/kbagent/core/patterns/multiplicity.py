"""False discovery control over everything that was tested.

Source: Benjamini and Hochberg 1995 (JRSS B 57, 289-300). Does not decide what was tested: a
hypothesis that was looked at and left out must be counted in `considered`.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def q_values(p: Floats, considered: int = 0) -> Floats:
    """Benjamini-Hochberg adjusted p-values, in the order given; each at least its p.

    `considered` is the number of hypotheses looked at when it exceeds `p.size`; the missing ones
    count as p = 1. NaN (not testable) stays NaN and does not count. Empty input gives an empty
    array. Equal p-values get equal q-values.

    >>> np.round(q_values(np.array([0.01, 0.04, 0.03, 0.20])), 4).tolist()
    [0.04, 0.0533, 0.0533, 0.2]
    >>> np.round(q_values(np.array([0.01]), considered=10), 4).tolist()
    [0.1]
    """
    q = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    count = max(considered, order.size)
    raised = p[order] * count / np.arange(1, order.size + 1)
    q[order] = np.minimum(1.0, np.minimum.accumulate(raised[::-1])[::-1])
    return q
