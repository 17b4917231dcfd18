"""An order of version strings that is total and takes any text.

Like the ordering of PEP 440 for what software companies write (pre-releases before the release,
numbers by size, trailing zeros without meaning), but never an error: unknown words have a place
too. It does not know epochs, and `1!2.0` is three tokens like any other text.
"""

import re
from functools import lru_cache

VersionKey = tuple[tuple[int, int, str], ...]

_TOKEN = re.compile(r"[0-9]+|[^\W\d_]+")
_PREFIX = re.compile(r"(?:version|ver|release|rel|v)[\s.:_-]*(?=[0-9])")

_PRE_RELEASE, _END, _WORD, _POST, _NUMBER = range(5)
_STAGES: dict[str, tuple[int, int]] = {
    "dev": (_PRE_RELEASE, 0),
    "nightly": (_PRE_RELEASE, 0),
    "snapshot": (_PRE_RELEASE, 0),
    "a": (_PRE_RELEASE, 1),
    "alpha": (_PRE_RELEASE, 1),
    "b": (_PRE_RELEASE, 2),
    "beta": (_PRE_RELEASE, 2),
    "c": (_PRE_RELEASE, 3),
    "rc": (_PRE_RELEASE, 3),
    "pre": (_PRE_RELEASE, 3),
    "preview": (_PRE_RELEASE, 3),
    "post": (_POST, 0),
    "patch": (_POST, 0),
    "hotfix": (_POST, 0),
    "sp": (_POST, 0),
    "p": (_POST, 0),
    "r": (_POST, 0),
}


@lru_cache(maxsize=65536)
def version_key(text: str) -> VersionKey:
    """The sort key of a version.

    Letter case, a leading `v` or `version`, separators and trailing zeros do not matter;
    dev < alpha < beta < rc < the release < any other word (115esr) < post < a further number.
    A text without digits or letters sorts before every version, together with the empty text.

    >>> version_key("115") == version_key("v115.0") == version_key("Version 115.0.0")
    True
    >>> versions = ["115.10", "115b2", "115.2", "115", "115.0rc1", "102.15.1"]
    >>> sorted(versions, key=version_key)
    ['102.15.1', '115b2', '115.0rc1', '115', '115.2', '115.10']
    """
    plain = _PREFIX.sub("", text.strip().casefold(), count=1)
    elements: list[tuple[int, int, str]] = []
    for token in _TOKEN.findall(plain):
        element = _element(token)
        if element[0] != _NUMBER:
            _drop_trailing_zeros(elements)
        elements.append(element)
    if not elements:
        return ()
    _drop_trailing_zeros(elements)
    return (*elements, (_END, 0, ""))


def has_number(text: str) -> bool:
    """Whether the text holds a digit, so that an order by version makes sense of it."""
    return re.search(r"[0-9]", text) is not None


def from_first_number(text: str) -> str:
    """The text from its first digit on ("Thunderbird 115.3" → "115.3"); empty without one."""
    found = re.search(r"[0-9].*", text, flags=re.DOTALL)
    return found.group() if found else ""


def _element(token: str) -> tuple[int, int, str]:
    if token[0] in "0123456789":
        digits = token.lstrip("0")
        # Length first, then text, orders numbers of any size without converting them.
        return (_NUMBER, len(digits), digits)
    kind, rank = _STAGES.get(token, (_WORD, 0))
    return (kind, rank, "" if kind != _WORD else token)


def _drop_trailing_zeros(elements: list[tuple[int, int, str]]) -> None:
    while len(elements) > 1 and elements[-1] == (_NUMBER, 0, "") and elements[-2][0] == _NUMBER:
        elements.pop()
