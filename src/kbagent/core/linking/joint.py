"""Cases grouped by their problem and by what solved it, together.

Two cases with similar problems that the same fix solved are far more surely one issue than similar
problems alone. A case with a known fix is described by its problem's vector beside its fix's, each
with its share of the cosine: cos = (1 - w)·cos(problems) + w·cos(fixes). Cases are then grouped by
average linkage as elsewhere (`clustering`). Cases without a known fix are none of this module's.
"""

import numpy as np

from kbagent.core.linking.clustering import cluster
from kbagent.core.linking.neighbours import Floats, Ints, Vectors, density, nearest_neighbours

FIX_SHARE = 0.5  # w; chosen on half of the issues of sample_data
JOINT_THRESHOLD = 0.15  # likewise: pair precision .99 at recall .67; lower swallows rare issues
JOINT_CONFIDENCE = 0.97  # pair precision on the other half: .99, at recall .34
LEAST_SURROUNDINGS = 0.5  # as in `assignment`; precision of 30 cases of sample_data .51 to .93
REUNITED = 0.9  # share of their own likeness at which two groups are one; on half of the issues
# of sample_data recall .61 to .69 at precision 1.0, on the other half .31 to .50 at .995
LEAST_REUNITED = 3  # cases that a group must have for that
LEAST_PROBLEM = 0.2  # mean cosine of the problems alone that a group must have
JOINT_METHOD = "problem-and-fix-1"  # kept with every assignment
NEIGHBOURS = 50


def joint_groups(
    problems: Vectors, fixes: Vectors, apart: tuple[tuple[int, int], ...] = ()
) -> Ints:
    """For each of n cases with a known fix the lowest row of its group, (n,).

    `problems` and `fixes` are (n, d), unit length, row by row of the same case; `apart` holds
    pairs of rows that are not the same. Rows must be sorted by content, so that the result does
    not depend on the order in which cases came.
    """
    if not len(problems):
        return np.zeros(0, dtype=np.int64)
    joint = np.hstack(
        [problems * np.float32(np.sqrt(1.0 - FIX_SHARE)), fixes * np.float32(np.sqrt(FIX_SHARE))]
    )
    near = nearest_neighbours(joint, min(NEIGHBOURS, len(joint) - 1))
    surroundings = np.maximum(density(near), LEAST_SURROUNDINGS)
    roots = cluster(joint, near, surroundings, threshold=JOINT_THRESHOLD, apart=apart)
    return _reunited(problems, _without_strangers(problems, roots), apart)


def _without_strangers(problems: Vectors, roots: Ints) -> Ints:
    """Groups split where their problems alone have nothing in common.

    A fix that settles anything ("restarted") would otherwise bring strangers together.
    """
    split = roots.copy()
    for root in np.unique(roots):
        rows = np.flatnonzero(roots == root)
        if len(rows) > 1:
            near = nearest_neighbours(problems[rows], min(NEIGHBOURS, len(rows) - 1))
            nothing = np.zeros(len(rows))
            inner = cluster(problems[rows], near, nothing, threshold=LEAST_PROBLEM)
            split[rows] = rows[inner]
    return split


def _reunited(problems: Vectors, roots: Ints, apart: tuple[tuple[int, int], ...]) -> Ints:
    """Groups joined that are no more unlike each other than they are unlike themselves.

    One problem with two fixes, an old and a new one, falls apart by fix; its problems do not.
    The most alike pair joins first, ties by row, while its mean similarity is at least
    `REUNITED` of the geometric mean of theirs. Groups of fewer than three say too little.
    """
    joined = roots.copy()
    forbidden = set(apart) | {(other, one) for one, other in apart}
    while True:
        names, codes, sizes = np.unique(joined, return_inverse=True, return_counts=True)
        likeness = _likeness(problems, codes, sizes)
        for one, other in forbidden:
            likeness[codes[one], codes[other]] = 0.0
        if not likeness.size or likeness.max() < REUNITED:
            return joined
        low, high = sorted(np.unravel_index(int(likeness.argmax()), likeness.shape))
        joined[joined == names[high]] = names[low]


def _likeness(problems: Vectors, codes: Ints, sizes: Ints) -> Floats:
    """Mean similarity of each two groups over the geometric mean of their own, (k, k).

    All less what any two cases have in common here: where every ticket is about mail, being
    about mail is no likeness.
    """
    sums = np.zeros((len(sizes), problems.shape[1]))
    np.add.at(sums, codes, problems)
    products = sums @ sums.T
    pairs = np.maximum(sizes * (sizes - 1), 1)
    common = float(np.square(problems.mean(axis=0, dtype=np.float64)).sum())
    within = np.maximum((np.diag(products) - sizes) / pairs - common, 1e-9)
    between = products / np.outer(sizes, sizes) - common
    likeness: Floats = between / np.sqrt(np.outer(within, within))
    small = sizes < LEAST_REUNITED
    likeness[small] = 0.0
    likeness[:, small] = 0.0
    np.fill_diagonal(likeness, 0.0)
    return likeness
