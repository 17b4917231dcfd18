"""How well the words of a text fit an issue, against how they fit everything.

Dense vectors miss a rare word that matters; this looks at nothing else. Naive Bayes over which
words occur (not how often), drawn towards the background because most issues have few cases.
Does not split text into words and does not rank.

Robertson and Spärck Jones 1976 (presence weights); Zhai and Lafferty 2004 (drawing an issue's
word rates towards the background, there Dirichlet smoothing).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

PRIOR_CASES = 10.0  # weight of the background in an issue's word rates, in cases
UNSEEN = 2.0  # cost of a word that no case holds, in nats


@dataclass(frozen=True, slots=True)
class Words:
    """In how many cases each word occurs: of the whole knowledge base, and of each issue.

    `issues` maps an issue to (number of its cases, word → number of its cases holding it).
    """

    cases: int
    holding: Mapping[str, int]
    issues: Mapping[int, tuple[int, Mapping[str, int]]]

    def fit(self, words: Iterable[str], candidates: Iterable[int]) -> float:
        """The best candidate's log-likelihood ratio against the background, per √word, in nats.

        Each known word gives log((n_w + a·r_w) / (n + a)) − log r_w with r_w its rate in all
        cases, n_w the issue's cases holding it, n the issue's cases, a = `PRIOR_CASES`; each
        unknown word costs `UNSEEN`. Divided by the root of the number of words, so that long
        and short texts spread alike. 0 without words; without candidates only the costs.
        """
        distinct = set(words)
        known = [w for w in distinct if self.holding.get(w)]
        if not distinct:
            return 0.0
        best = max((self._ratio(known, issue) for issue in set(candidates)), default=0.0)
        return (best - UNSEEN * (len(distinct) - len(known))) / math.sqrt(len(distinct))

    def _ratio(self, known: Sequence[str], issue: int) -> float:
        cases, holding = self.issues.get(issue, (0, {}))
        share = PRIOR_CASES / (cases + PRIOR_CASES)
        return sum(
            math.log(
                share + holding.get(w, 0) * self.cases / (self.holding[w] * (cases + PRIOR_CASES))
            )
            for w in known
        )


def count_words(texts: Iterable[Iterable[str]], issues: Iterable[int]) -> Words:
    """Count in how many of these texts (given as words) each word occurs, by issue.

    >>> words = count_words([["mail", "stuck"], ["mail", "lost"]], [1, 2])
    >>> words.holding["mail"], words.issues[2][1]["lost"]
    (2, 1)
    """
    holding: Counter[str] = Counter()
    by_issue: dict[int, Counter[str]] = {}
    sizes: Counter[int] = Counter()
    for text, issue in zip(texts, issues, strict=True):
        distinct = set(text)
        holding.update(distinct)
        by_issue.setdefault(issue, Counter()).update(distinct)
        sizes[issue] += 1
    return Words(sizes.total(), holding, {i: (sizes[i], by_issue[i]) for i in sizes})
