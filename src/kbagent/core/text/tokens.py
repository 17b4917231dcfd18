"""Tokens and identifiers of a text, for lexical search and for near-duplicate tests.

A token is a lower-cased run of letters and digits, accents folded, a plural or genitive ending
of English taken off. An identifier (error code, ticket number, path, version, qualified name)
is kept whole *and* in its parts, so that `0x80070035` is found exactly and `prefs.js` is found
within `C:\\Users\\x\\prefs.js`.

Does not: remove stop words (BM25 weighs them down), split compound words, segment scripts
without spaces (those yield one token per character, which BM25 handles well enough), or treat
any character as query syntax.
"""

import re
import unicodedata
from collections.abc import Iterator

MAX_TOKEN = 64
"""Characters kept of one token; longer ones are cut, so 1 MB of one word is one short token."""

_IDENTIFIER = re.compile(
    r"""
    [a-z]:\\[^\s"'<>|*?,;]{1,256}                  # C:\Users\x\prefs.js
  | (?<![\w/.:])~?/[\w.@+~-]{1,128}(?:/[\w.@+~-]{1,128}){1,32}/?   # /etc/postfix/main.cf
  | \b0x[0-9a-f]{1,32}\b                           # 0x80070035
  | \b[a-z_$][\w$]{0,63}(?:(?:\.|::)[a-z_$][\w$]{0,63}){1,16}\b    # java.lang.NullPointerException
  | \b[a-z][a-z0-9]{0,15}-\d{1,12}\b               # ORA-01555, TB-1234
  | \bv?\d{1,6}(?:\.\d{1,6}){1,5}[a-z]?\d{0,3}\b   # 115.3.1
  | \b[a-z0-9]{1,63}(?:_[a-z0-9]{1,63}){1,16}\b    # NS_ERROR_NET_INTERRUPT, user_pref
  | \b(?=[a-z0-9]{0,15}\d)(?=[0-9]{0,15}[a-z])[a-z0-9]{3,16}\b     # e1001, kb5034441
    """,
    re.VERBOSE | re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LONGEST_RUN = re.compile(r"\S{257,}")


def tokens(text: str) -> list[str]:
    r"""Return the tokens of `text` in order, identifiers whole after their parts.

    Never longer than `MAX_TOKEN` characters each, never holding white space; empty for a text
    without letters and digits. Time is linear in the length of the text.

    >>> tokens("Crashes with 0x80070035, see ORA-01555!")
    ['crash', 'with', '0x80070035', 'see', 'ora', '01555', 'ora-01555']
    >>> tokens("C:\\Users\\x\\prefs.js isn't read")
    ['c', 'user', 'x', 'pref', 'js', 'c:\\users\\x\\prefs.js', 'isn', 't', 'read']
    >>> tokens("")
    []
    """
    folded = _fold(text)
    found: list[str] = []
    end = 0
    for match in _IDENTIFIER.finditer(folded):
        found.extend(_words(folded[end : match.start()]))
        found.extend(_whole_and_parts(match.group()))
        end = match.end()
    found.extend(_words(folded[end:]))
    return found


def identifiers(text: str) -> list[str]:
    r"""Return the identifiers in `text` in order, lower-cased, each once.

    >>> identifiers("NS_ERROR_NET_INTERRUPT in 115.3.1 (TB-1234), then 115.3.1 again")
    ['ns_error_net_interrupt', '115.3.1', 'tb-1234']
    >>> identifiers("plain words only")
    []
    """
    whole = (match.group().rstrip(".")[:MAX_TOKEN] for match in _IDENTIFIER.finditer(_fold(text)))
    return list(dict.fromkeys(whole))


def _fold(text: str) -> str:
    """Lower-cased, compatibility forms unified, accents taken off, hopeless runs cut short."""
    decomposed = unicodedata.normalize("NFKD", text).lower()
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _LONGEST_RUN.sub(lambda run: run.group()[:256], plain)


def _whole_and_parts(identifier: str) -> Iterator[str]:
    identifier = identifier.rstrip(".")[:MAX_TOKEN]
    parts = list(_words(identifier))
    yield from parts
    if parts != [identifier]:
        yield identifier


def _words(text: str) -> Iterator[str]:
    for match in _WORD.finditer(text):
        word = match.group()
        if _UNSPACED.search(word):
            yield from word[:256]
        else:
            yield _stem(word[:MAX_TOKEN])


def _stem(word: str) -> str:
    """`word` without an English plural ending (Harman 1991, the S-stemmer)."""
    if len(word) < 4 or not word.isalpha() or not word.endswith("s"):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith(("us", "ss")):
        return word
    return word[:-1]
