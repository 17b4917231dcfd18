"""How much likelier a vector is as one more member of a known issue than as something new.

Two-covariance probabilistic linear discriminant analysis: x = issue's centre + deviation, with
centre ~ N(μ, B) and deviation ~ N(0, W). The score of an issue with n members is the log
ratio of x's density given these members to its density given none. A single member is weak
evidence of where the centre lies, a hundred are strong, and the formula knows. Does not search
(it needs the issues' means only) and does not decide.

Ioffe 2006 (PLDA); Brümmer and De Villiers 2010 (the two-covariance model); Ren et al. 2021
(why a Mahalanobis distance needs the background subtracted to see novelty).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

WITHIN_SHARE = 0.4  # of the total scatter that is within issues, as long as none is known
PRIOR_MEMBERS = 50.0  # weight of that assumption, in members beyond an issue's first
ROUNDING = 0.5  # share of each scatter that is replaced by a sphere of the same trace


@dataclass(frozen=True, slots=True)
class Kinship:
    """The two scatters in the base in which both are diagonal, and the issues' means in it.

    centre   μ, (d,)
    base     (d, d); z = base · (x − μ) has W = identity and B = diag(spread)
    spread   λ, (d,), ≥ 0
    issues   ids of the issues, rising, (k,)
    means    mean z of each issue's members, (k, d)
    members  n of each issue, (k,)
    """

    centre: Array
    base: Array
    spread: Array
    issues: npt.NDArray[np.int64]
    means: Array
    members: Array

    def scores(self, vectors: npt.ArrayLike, only: npt.ArrayLike | None = None) -> Array:
        """Log density ratios (queries, issues), each divided by the root of the dimension.

        `only` are positions in `issues` to score, else all of them are.
        """
        z = (np.atleast_2d(np.asarray(vectors, dtype=np.float64)) - self.centre) @ self.base.T
        at = slice(None) if only is None else np.asarray(only, dtype=np.intp)
        n, means = self.members[at][:, None], self.means[at]
        gain = n * self.spread / (1 + n * self.spread)
        variance = 1 + self.spread * (1 - gain)
        place = gain * means
        constant = (place**2 / variance + np.log(variance)).sum(axis=1)
        near = (z**2) @ (1 / variance).T - 2 * z @ (place / variance).T + constant
        far = (z**2) @ (1 / (1 + self.spread)) + np.log1p(self.spread).sum()
        return np.asarray((far[:, None] - near) / (2 * np.sqrt(len(self.spread))))


def fit_kinship(vectors: npt.ArrayLike, issues: npt.ArrayLike) -> Kinship:
    """Scatters and means of these members; `vectors` (n, d), `issues` (n,) ids, n ≥ 1.

    W pools the deviations of all issues with two members or more, and is drawn towards
    `WITHIN_SHARE` of the total scatter while such issues are few; B is the rest of the total,
    without what would be negative. Both are rounded towards a sphere, because d² numbers
    are estimated from few members.
    """
    x = np.asarray(vectors, dtype=np.float64)
    ids, place, members = np.unique(
        np.asarray(issues, dtype=np.int64), return_inverse=True, return_counts=True
    )
    means = _means(x, place, members)
    centre = x.mean(axis=0)
    total = (x - centre).T @ (x - centre) / len(x)
    deviations = x - means[place]
    freedom = len(x) - len(ids)
    within = (deviations.T @ deviations + PRIOR_MEMBERS * WITHIN_SHARE * total) / (
        freedom + PRIOR_MEMBERS
    )
    base, spread = _common_base(_rounded(within), _rounded(_positive(total - within)))
    return Kinship(
        centre=centre,
        base=base,
        spread=spread,
        issues=ids,
        means=(means - centre) @ base.T,
        members=members.astype(np.float64),
    )


def _means(x: Array, place: npt.NDArray[np.intp], members: npt.NDArray[np.intp]) -> Array:
    order = np.argsort(place, kind="stable")
    starts = np.concatenate([[0], np.cumsum(members)[:-1]])
    return np.asarray(np.add.reduceat(x[order], starts, axis=0) / members[:, None])


def _positive(scatter: Array) -> Array:
    values, axes = np.linalg.eigh(scatter)
    return np.asarray((axes * np.clip(values, 0.0, None)) @ axes.T)


def _rounded(scatter: Array) -> Array:
    d = len(scatter)
    size = float(np.trace(scatter)) / d
    return np.asarray((1 - ROUNDING) * scatter + (ROUNDING * size + 1e-9) * np.eye(d))


def _common_base(within: Array, between: Array) -> tuple[Array, Array]:
    """The base in which `within` is the identity and `between` diagonal, and that diagonal."""
    whiten = np.linalg.inv(np.linalg.cholesky(within))
    spread, axes = np.linalg.eigh(whiten @ between @ whiten.T)
    return axes.T @ whiten, np.clip(spread, 0.0, None)
