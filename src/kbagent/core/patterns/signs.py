"""Which antecedents of patterns one new ticket shows, by the rules that find them in cases.

A facet that was not given is looked for in the words, if its value cannot be mistaken: "4.2.1" in a
text is a version, "2" need not be a lane, nor "free" a plan. Does not know what follows from an
antecedent.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo

import numpy as np

from kbagent.core.patterns.messageform import form_features, release_factors, timing_factors
from kbagent.core.patterns.terms import quoted, terms_of, words

_SPELT = re.compile(r"^v(?=\d)")
_UNMISTAKABLE = re.compile(r"\d\.\d|[^\W\d][\W_]*\d|\d[\W_]*[^\W\d]")
"""A dot between digits, or letters and digits side by side: 4.2, macos 14; not 2, 18-24."""
_MOMENTS = ("hour", "weekday", "release", "since release")


def is_of_moment(antecedent: str) -> bool:
    """Whether it is about when a ticket comes, so that all that come together show it."""
    return antecedent.partition("=")[0] in _MOMENTS


def shown_in(
    antecedents: Collection[str],
    text: str,
    facets: Iterable[tuple[str, str]],
    opened: datetime,
    zone: tzinfo,
    releases: Sequence[tuple[str, datetime]],
) -> frozenset[str]:
    """Those of the `antecedents` (as `CaseTable` names them) that hold of this ticket.

    >>> from datetime import UTC
    >>> now = datetime(2024, 1, 5, 20, tzinfo=UTC)
    >>> known = ("“labels”", "hour=18-24", "version=4.2", "version=4.2.1", "plan=free")
    >>> sorted(shown_in(known, "Labels of 4.2.1 are free", (), now, UTC, ()))
    ['hour=18-24', 'version=4.2.1', '“labels”']
    """
    form = form_features([text])
    second = np.array([int(opened.timestamp())], dtype=np.int64)
    moments = [*timing_factors(second, zone), *release_factors(second, releases)]
    own = {
        *(quoted(term) for term in terms_of(words(text))),
        *(name for name, size in zip(form.names, form.sizes.tolist(), strict=True) if size),
        *(f"{one.name}={one.levels[one.codes[0]]}" for one in moments if one.codes[0] >= 0),
    }
    given: dict[str, set[str]] = {}
    for name, value in facets:
        given.setdefault(name.casefold(), set()).add(_plain(value))
    lowered = text.casefold()
    return frozenset(one for one in antecedents if one in own or _is_facet_of(one, given, lowered))


def _is_facet_of(antecedent: str, given: Mapping[str, set[str]], text: str) -> bool:
    name, sign, value = antecedent.partition("=")
    if not sign or is_of_moment(antecedent):
        return False
    plain = _plain(value)
    if name.casefold() in given:
        return plain in given[name.casefold()]
    if _UNMISTAKABLE.search(plain) is None:
        return False
    return re.search(rf"(?<![\w.])v?{re.escape(plain)}(?!\w|\.\d)", text) is not None


def _plain(value: str) -> str:
    """A value however it is spelt: v4.2 and 4.2 are one."""
    return _SPELT.sub("", value.strip().casefold())
