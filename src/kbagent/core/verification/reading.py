r"""What a ticket's text says by itself: language, versions, systems, products, identifiers.

Reads only what is written there: nothing is guessed from meaning. Languages are told by their
most frequent short words, for English, German, French, Spanish, Italian, Portuguese and Dutch;
any other is `None`, as is a text too short to tell. Cavnar and Trenkle 1994 found frequent
words alone enough for texts of a few lines.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kbagent.core.text.tokens import identifiers

_WORDS_OF = {
    "en": "the and is to of it my i not in on when with that for this have cannot",
    "de": "der die das und ist nicht ich ein eine mit zu auf für kann wenn den von",
    "fr": "le la les et est je ne pas un une des dans pour avec mon que sur",
    "es": "el los las y es no un una en con para mi que se por cuando del",
    "it": "il lo gli e è non un una di che con per mi sono della quando",
    "pt": "o os as e é não um uma em com para meu que quando do da ao",
    "nl": "de het een en is niet ik van op met voor dat als mijn kan te",
}
_STOP_WORDS = {name: frozenset(words.split()) for name, words in _WORDS_OF.items()}
LANGUAGES = tuple(_STOP_WORDS)
_FEWEST = 2  # stop words of a language before it is named
_LEAD = 1.25  # times as many as of the next language
_SYSTEMS = (
    ("windows", r"\bwin(?:dows)?[ -]?(?P<v>xp|vista|7|8(?:\.1)?|10|11|20\d\d)?\b"),
    ("macos", r"\b(?:mac ?os(?: ?x)?|os x)\b(?:[ -]?(?P<v>\d{1,2}(?:\.\d{1,2}){0,2}))?"),
    (
        "linux",
        r"\b(?:linux(?: mint)?|ubuntu|debian|fedora|opensuse)\b(?: (?P<v>\d\d?(?:\.\d\d?)?))?",
    ),
    ("android", r"\bandroid\b(?: (?P<v>\d\d?))?"),
    ("ios", r"\b(?:ios|ipados)\b(?: (?P<v>\d\d?(?:\.\d)?))?"),
)
_SYSTEM_PATTERNS = tuple((name, re.compile(p, re.IGNORECASE)) for name, p in _SYSTEMS)
_VERSION = re.compile(
    r"(?:\b(?:version|ver|v|release|build|update[d]? to|upgraded? to)[ .:]{0,2}v?"
    r"(?P<named>\d{1,4}(?:\.\d{1,5}){0,4}(?:(?:b|rc|esr)\d{0,3})?)"
    r"|(?<![\w.:/-])(?P<bare>\d{1,4}\.\d{1,5}(?:\.\d{1,5}){0,3}(?:(?:b|rc|esr)\d{0,3})?))(?![\w:/%-]|\.\d)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says; each tuple in the order of the text, each value once."""

    language: str | None
    versions: tuple[str, ...]
    systems: tuple[str, ...]
    products: tuple[str, ...]
    identifiers: tuple[str, ...]
    words: int


def read(text: str, *, products: Iterable[str] = ()) -> Reading:
    """Read `text`; `products` are the known names that are looked for as whole words.

    A version follows a word that announces one ("version 115"), or has a dot and is no
    network address, or follows a known product's name ("Thunderbird 115").

    >>> reading = read("Thunderbird 115.3.1 on Windows 11 says ORA-01555", products=["Thunderbird"])
    >>> reading.versions, reading.systems, reading.products
    (('115.3.1',), ('windows 11',), ('Thunderbird',))
    >>> reading.identifiers
    ('ora-01555',)
    """
    named = _products(text, products)
    found = versions(text, products=named)
    return Reading(
        language=language(text),
        versions=found,
        systems=systems(text),
        products=named,
        identifiers=tuple(i for i in identifiers(text) if i.lstrip("v") not in found),
        words=len(_WORD.findall(text)),
    )


def language(text: str) -> str | None:
    """The language by its frequent words, as ISO 639-1; None when too few or too close.

    >>> language("Ich kann die Mail nicht senden"), language("Outlook Error 0x1")
    ('de', None)
    """
    words = [w.lower() for w in _WORD.findall(text[:20_000])]
    counts = sorted(
        ((sum(w in stop for w in words), name) for name, stop in _STOP_WORDS.items()), reverse=True
    )
    (most, name), (next_most, _) = counts[0], counts[1]
    return name if most >= _FEWEST and most >= _LEAD * next_most else None


def versions(text: str, *, products: Iterable[str] = ()) -> tuple[str, ...]:
    """Versions in the text, in order, each once; those of operating systems are left out."""
    clean = _ADDRESS.sub(" ", text)
    for _, pattern in _SYSTEM_PATTERNS:
        clean = pattern.sub(" ", clean)
    found = [(m.start(), m["named"] or m["bare"]) for m in _VERSION.finditer(clean)]
    for product in products:
        after = re.compile(rf"\b{re.escape(product)}\s+(\d{{1,4}}(?:\.\d{{1,5}}){{0,4}})\b", re.I)
        found += [(m.start(1), m[1]) for m in after.finditer(clean)]
    return tuple(dict.fromkeys(version for _, version in sorted(found)))


def systems(text: str) -> tuple[str, ...]:
    """Operating systems named, as 'name' or 'name version', in order, each once.

    >>> systems("Works on Win10 but not on macOS 14.2")
    ('windows 10', 'macos 14.2')
    """
    found = []
    for name, pattern in _SYSTEM_PATTERNS:
        for match in pattern.finditer(text):
            version = (match["v"] or "").lower()
            if name == "windows" and not version and match.group().lower() != "windows":
                continue  # "win" alone is a verb
            found.append((match.start(), f"{name} {version}".strip()))
    return tuple(dict.fromkeys(system for _, system in sorted(found)))


def _products(text: str, products: Iterable[str]) -> tuple[str, ...]:
    found = []
    for product in products:
        match = re.search(rf"(?<!\w){re.escape(product)}(?!\w)", text, re.IGNORECASE)
        if match and product.strip():
            found.append((match.start(), product))
    return tuple(dict.fromkeys(product for _, product in sorted(found)))
