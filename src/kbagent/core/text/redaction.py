"""Personal data and secrets in ticket text become `[email]`, `[phone]`, `[card]`, `[secret]`.

Precision comes first: what engineers search for (versions, error codes, ticket ids, addresses of
machines, dates, serial numbers) stays. So a number is a card only with an issuer's prefix, its
length and grouping (ISO/IEC 7812) and Luhn's checksum, and a telephone number only when it is
written like one: with `+` and a possible country's number, as `(202) 555-0143` or `202-555-0143`,
or after a word such as "phone". Names and postal addresses are not looked for.

Redacting twice is redacting once: what stands in for a secret is never searched again, and a text
is searched until nothing more is found.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kbagent.errors import BadValue


def _always(_: re.Match[str]) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is looked for: a match of `regex` that `accepts` becomes `[name]`.

    With a group called `value` only that group is replaced. `hints` are texts (in lower case) of
    which one must occur before the expression is tried at all; none means always.
    """

    name: str
    regex: re.Pattern[str]
    accepts: Callable[[re.Match[str]], bool] = _always
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without what was found, and how often each kind was, in order of kind."""

    text: str
    counts: tuple[tuple[str, int], ...]


# --- e-mail: a domain ends in letters, so that lodash@4.17.21 stays
_EMAIL = re.compile(
    r"(?<![\w.%+-])[A-Za-z0-9_.%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?\.){1,8}"
    r"[A-Za-z]{2,24}(?![\w-])"
)

# --- cards: prefix and length by issuer, https://en.wikipedia.org/wiki/Payment_card_number
_CARD = re.compile(
    r"(?<![\w.+-])(?<!\d )(?:\d{14,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?"
    r"|\d{4}([ -])\d{6}\2\d{4,5})(?![\w-])(?! \d)(?!\.\d)"
)
_ISSUERS = re.compile(
    r"4\d{15}(?:\d{3})?|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|62\d{14,17}"
)


def passes_luhn(digits: str) -> bool:
    """Whether digits end in the check digit of Luhn (US patent 2,950,048; ISO/IEC 7812-1).

    From the right, every second digit is doubled, and the digits of all results are added; the
    sum is a multiple of ten.

    >>> passes_luhn("4111111111111111"), passes_luhn("4111111111111112")
    (True, False)
    """
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(d), 10)) for d in even)) % 10 == 0


def _digits(text: str) -> str:
    return "".join(c for c in text if c in "0123456789")


def _is_card(match: re.Match[str]) -> bool:
    digits = _digits(match.group())
    return _ISSUERS.fullmatch(digits) is not None and passes_luhn(digits)


# --- telephone numbers
_PHONE_ABROAD = re.compile(r"(?<![\w+.])(?:\+|00)[1-9](?:[ ()./-]{0,2}\d){7,13}(?![\w-])(?!\.\d)")
_PHONE_PARENTHESES = re.compile(r"(?<![\w.)-])(?:1[ -])?\(0?\d{2,4}\) ?\d{3,4}[ -]\d{3,5}(?![\w-])")
_PHONE_DASHES = re.compile(r"(?<![\w.+-])(?:1-)?[2-9]\d\d-[2-9]\d\d-\d{4}(?![\w-])(?!\.\d)")
_PHONE_NAMED = re.compile(
    r"(?i)\b(?:(?:tele)?(?:phone|fon)|tel|fax|mobile|cell|whatsapp"
    r"|(?:call|reach) me (?:at|on))\b\.?(?: ?(?:no\.?|number|nr\.?|#))?(?: is)? ?[:=]? ?"
    r"(?P<value>\+?\(?\d(?:[ ()./-]{0,2}\d){6,14})(?![\w-])(?!\.\d)"
)
_DATE = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4}")
_DOTTED = re.compile(r"\d{1,5}(?:\.\d{1,6}){2,}\Z")
_DIGITS_OF_PHONES = range(7, 16)  # ITU-T E.164 allows at most 15


def _is_abroad(match: re.Match[str]) -> bool:
    import phonenumbers

    text = match.group()
    number = "+" + _digits(text)[2 if text.startswith("00") else 0 :]
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return False
    if text.startswith("00"):  # zeros may begin a serial number as well
        return bool(phonenumbers.is_valid_number(parsed)) and not text.isdigit()
    return bool(phonenumbers.is_possible_number(parsed))


def _is_named(match: re.Match[str]) -> bool:
    value = match.group("value")
    if _DATE.match(value) or _DOTTED.match(value):
        return False
    return len(_digits(value)) in _DIGITS_OF_PHONES


# --- secrets
_KEYS = re.compile(
    r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\s\S]{0,20000}?-----END [A-Z ]{0,20}PRIVATE KEY-----"
    r"|(?<!\w)(?:"
    r"(?:AKIA|ASIA)[0-9A-Z]{16}"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{22,255}"  # GitHub
    r"|glpat-[\w-]{20,64}"  # GitLab
    r"|xox[abeoprs]-[\w-]{10,255}"  # Slack
    r"|eyJ[\w-]{8,4096}\.[\w-]{8,4096}\.[\w-]{0,4096}"  # JSON web tokens, RFC 7519
    r"|sk-[\w-]{20,255}|[sr]k_(?:live|test)_\w{16,255}"  # OpenAI, Stripe
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,2048}"  # Google
    r"|SG\.[\w-]{16,64}\.[\w-]{16,64}"  # SendGrid
    r"|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,512}"
    r")(?![\w-])"
)
_KEY_HINTS = (
    "private key", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-",
    "xox", "eyj", "sk-", "k_live_", "k_test_", "aiza", "ya29.", "sg.", "npm_", "pypi-",
)  # fmt: skip
_HEADER = re.compile(
    r"(?i)\b(?:bearer|authorization: ?(?:basic|token))[ =:]{1,3}(?P<value>[\w.~+/-]{12,4096}={0,2})"
)
_IN_URL = re.compile(
    r"(?i)\b[a-z][a-z0-9+.-]{1,15}://[^\s:/@\[\]]{1,64}:(?P<value>[^\s/@\[\]]{1,128})@"
)
_PASSWORD = re.compile(
    r"(?i)(?:(?<![\w-])|_)"
    r"(?:password|passwd|passphrase|passwort|kennwort|mot de passe|contraseña|pwd|pass)"
    r"[\"']?(?: ?[:=] ?|(?P<prose> is:? ))[\"']?(?P<value>[^\s\"'<>\[\]{},;]{3,128})"
)
_ASSIGNED = re.compile(
    r"(?i)(?:\b|_)(?:secret|token|api[ _-]?key|access[ _-]?key|secret[ _-]?access[ _-]?key"
    r"|private[ _-]?key"
    r"|client[ _-]?secret|auth[ _-]?key)[\"']?(?: ?[:=] ?| is:? )[\"']?"
    r"(?P<value>[\w.~+/=-]{12,4096})"
)
# What stands after "password:" without being one.
_NO_PASSWORD = re.compile(
    r"(?i)(?:in)?(?:correct|valid|accepted)|wrong|required|expired?|reset|fail(?:ed|s|ure)|error|none|null|nil"
    r"|true|false|yes|not?|blank|empty|change[d]?|missing|unknown|denied|rejected|ok(?:ay)?|n/a|the|same"
    r"|again|works?|working|prompt(?:ed)?|[*•x#.\-_?!…]+|[%$].*|pass(?:word)?|normal|encrypted"
    r"|plain|clear ?text|[+-]\d.*|\d{1,3}\)?|https?:.*|0x[0-9a-f]{1,16}|\W+"
)
_PLAIN_WORD = re.compile(r"[^\W\d_]+[.!?,:]?\Z")
_PROSE_GOES_ON = re.compile(r" +[^\W\d_]")


def _is_password(match: re.Match[str]) -> bool:
    """Not a word that only says how the password fared, nor the beginning of a sentence."""
    value = match.group("value").rstrip(".,!?:)")
    if len(value) < 3 or _NO_PASSWORD.fullmatch(value):
        return False
    is_word = _PLAIN_WORD.match(value) is not None
    if match.group("prose"):
        return not is_word and any(c.isdigit() for c in value) and len(value) >= 6
    return not (is_word and _PROSE_GOES_ON.match(match.string, match.end()))


_NO_TOKEN = re.compile(r"(?i)0x[0-9a-f]{1,16}|[\w-]+\.[a-z]{2,4}|[\d.:tz+-]+")


def _is_assigned(match: re.Match[str]) -> bool:
    """A value with letters and digits that is no error code, version, date or file name."""
    value = match.group("value")
    has_both = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return (
        has_both
        and re.fullmatch(r"(?i)0x[0-9a-f]{1,16}|[\w-]+\.[a-z]{2,4}|[\d.:tz+-]+", value) is None
    )


_PHONE_HINTS = ("fon", "phone", "tel", "fax", "mobile", "cell", "whatsapp", "h me ", "l me ")
DEFAULT_PATTERNS: tuple[Pattern, ...] = (
    Pattern("secret", _KEYS, hints=_KEY_HINTS),
    Pattern("secret", _HEADER, hints=("bearer", "authorization")),
    Pattern("secret", _IN_URL, hints=("://",)),
    Pattern("secret", _PASSWORD, _is_password, ("pass", "pwd", "kennwort", "contrase")),
    Pattern("secret", _ASSIGNED, _is_assigned, ("key", "token", "secret")),
    Pattern("email", _EMAIL, hints=("@",)),
    Pattern("card", _CARD, _is_card, ()),
    Pattern("phone", _PHONE_ABROAD, _is_abroad, ("+", "00")),
    Pattern("phone", _PHONE_PARENTHESES, hints=("(",)),
    Pattern("phone", _PHONE_DASHES, hints=("-",)),
    Pattern("phone", _PHONE_NAMED, _is_named, _PHONE_HINTS),
)  # fmt: skip
_ENOUGH_DIGITS = re.compile(r"\d(?:[ ()./-]{0,2}\d){6}")  # cards and telephone numbers have them
_NUMERIC = frozenset({"card", "phone"})


class Redactor:
    """Redacts many texts with the default patterns and patterns of one's own."""

    def __init__(self, own: Sequence[Pattern] = (), *, patterns: Sequence[Pattern] | None = None):
        self._patterns = (*own, *(DEFAULT_PATTERNS if patterns is None else patterns))
        names = sorted({pattern.name for pattern in self._patterns} | {"secret"})
        self._stand_in = re.compile("(" + "|".join(re.escape(f"[{name}]") for name in names) + ")")

    def redact(self, text: str) -> Redacted:
        """The text without what the patterns find, and counts by kind; idempotent."""
        counts: Counter[str] = Counter()
        while True:
            changed = self._pass(text, counts)
            if changed == text:
                return Redacted(text, tuple(sorted(counts.items())))
            text = changed

    def _pass(self, text: str, counts: Counter[str]) -> str:
        folded = text.lower()
        numeric = _ENOUGH_DIGITS.search(text) is not None
        for pattern in self._patterns:
            if pattern.name in _NUMERIC and pattern.hints and not numeric:
                continue
            if pattern.hints and not any(hint in folded for hint in pattern.hints):
                continue
            text = self._replaced(text, pattern, counts)
        return text

    def _replaced(self, text: str, pattern: Pattern, counts: Counter[str]) -> str:
        """One pattern, applied between the stand-ins that are already there."""
        value = "value" if "value" in pattern.regex.groupindex else 0

        def stand_in(match: re.Match[str]) -> str:
            if not match.group(value) or not pattern.accepts(match):
                return match.group()
            counts[pattern.name] += 1
            start, end = match.start(value) - match.start(), match.end(value) - match.start()
            return f"{match.group()[:start]}[{pattern.name}]{match.group()[end:]}"

        if pattern.regex.search(text) is None and "[" not in text:
            return text
        pieces = self._stand_in.split(text)
        pieces[::2] = (pattern.regex.sub(stand_in, piece) for piece in pieces[::2])
        return "".join(pieces)


def redact(text: str, patterns: Sequence[Pattern] = DEFAULT_PATTERNS) -> Redacted:
    """The text without what the patterns find.

    >>> redact("Ann (ann@example.org) sees 0x80070035 on 10.0.19041.1, password: hunter2").text
    'Ann ([email]) sees 0x80070035 on 10.0.19041.1, password: [secret]'
    """
    return Redactor(patterns=patterns).redact(text)


_NAME = re.compile(r"([A-Za-z][\w-]{0,30})\s*=\s*(\S.*)")


def custom_patterns(text: str) -> tuple[Pattern, ...]:
    """Patterns of one's own, one a line: `name = REGEX`, or a REGEX alone (`[redacted]`).

    Empty lines and lines that begin with `#` are left out.

    >>> redactor = Redactor(custom_patterns("customer = CUST-[0-9]+"))
    >>> redactor.redact("CUST-0815 cannot log in")
    Redacted(text='[customer] cannot log in', counts=(('customer', 1),))

    Raises: BadValue for a line that is no regular expression.
    """
    made = []
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        named = _NAME.fullmatch(bare)
        name, regex = named.groups() if named else ("redacted", bare)
        try:
            made.append(Pattern(name, re.compile(regex)))
        except (re.error, OverflowError, RecursionError) as error:
            raise BadValue(name="A redaction pattern", value=bare, reason=str(error)) from error
    return tuple(made)
