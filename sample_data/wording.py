"""How a planned case reads: title, first message, what the agents wrote, what the customer said.

Every sentence comes from `material/`; this module only chooses, joins and fills in names,
numbers and times. Bodies of an issue are used in turn, so that none wears out.
"""

import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sample_data import catalogue
from sample_data.catalogue import Issue, Phrase, Table
from sample_data.plan import PlannedCase
from sample_data.sketches import SEED

_MISNOMERS = (
    "Binright",
    "BinWriter",
    "Bin Wright",
    "BINWRIGHT",
    "Binwrite",
    "binwright",
    "Bin-Wright",
)
_GREETS = re.compile(r"(?i)^(hi|hello|hey|good|dear|hallo|guten|moin|buen|hola|bonjour|hello,)\b")
_GITHUB_LINES = (
    "Link {ver} on {os}",
    "**Version:** {ver}\n**OS:** {os}",
    "Environment: {os}, Link {ver}, behind nginx",
    "(Link {ver}, {os}, nothing special)",
    "- [x] I searched existing issues\n- [x] Link {ver} / {os}",
    "Happy to test a fix. {ver}, {os}.",
)
_TERSE = 70  # characters below which a first message is sent as it is, without greeting


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a ticket's thread; `tries` is the fix it proposes, if it proposes one."""

    author: str
    is_agent: bool
    at: datetime
    text: str
    tries: str = ""
    public: bool = True


@dataclass(frozen=True, slots=True)
class WrittenCase:
    """A planned case with its words. `notes` are what was written of each attempt, in order."""

    facts: PlannedCase
    title: str
    body: str
    customer: str
    person: str
    language: str
    notes: tuple[str, ...]
    thread: tuple[Message, ...]
    closed: datetime | None
    rating_comment: str


class _Deck:
    """Phrases dealt in turn from a shuffled deck, so that all are used about equally often."""

    def __init__(self, phrases: tuple[Phrase, ...], rng: random.Random, *, in_order: bool) -> None:
        self._phrases, self._rng, self._in_order = phrases, rng, in_order
        self._deck: list[Phrase] = []

    def deal(self, languages: set[str], near: str = "") -> Phrase:
        """The next phrase in one of these languages, rather one that shares words with `near`."""
        for _ in range(2):
            able = [p for p in self._deck if p.language in languages]
            fitting = max(able, key=lambda p: _shared(p.text, near), default=None)
            if fitting is not None:
                self._deck.remove(fitting)
                return fitting
            self._deck += self._rng.sample(self._phrases, len(self._phrases))
            if self._in_order:
                self._deck = list(self._phrases)
        return self._phrases[0]


def _shared(title: str, text: str) -> int:
    """How many longer words of the title stand in the text, by their first five letters."""
    stems = {word[:5] for word in re.findall(r"[^\W_]{4,}|BW-\d+", text.lower())}
    return sum(word[:5] in stems for word in re.findall(r"[^\W_]{4,}|BW-\d+", title.lower()))


def _fill(text: str, case: PlannedCase, rng: random.Random) -> str:
    """Put plausible names and numbers into the material's placeholders."""
    at = case.opened - timedelta(minutes=rng.randrange(5, 90))
    place = rng.choice(("WH", "DSK", "SRV", "HALL", "OFFICE", "PACK"))
    values: dict[str, Callable[[], str]] = {
        "{ts}": lambda: (at + timedelta(seconds=rng.randrange(90))).strftime("%Y-%m-%d %H:%M:%S"),
        "{host}": lambda: f"{place}-{rng.randrange(1, 30):02d}",
        "{n}": lambda: str(rng.randrange(2, 10)),
        "{big}": lambda: str(rng.randrange(180, 9800)),
        "{hex}": lambda: f"{rng.getrandbits(48):012x}",
        "{user}": lambda: rng.choice(("m.lis", "jprins", "warehouse2", "s.ott", "r.pugh")),
        "{sku}": lambda: f"{rng.choice('ABKLPX')}{rng.randrange(1000, 9999)}-{rng.choice('ACDF')}",
        "{doc}": lambda: f"KF-{at.year}-{rng.randrange(2000, 9999)}",
        "{ver}": lambda: case.version,
        "{os}": lambda: case.os,
    }
    for mark, value in values.items():
        while mark in text:
            text = text.replace(mark, value(), 1)
    return text


def _misspelt(text: str, rng: random.Random) -> str:
    """Sometimes a wrong product name, sometimes two letters swapped in a long word."""
    if rng.random() < 0.3:
        text = text.replace("Binwright", rng.choice(_MISNOMERS))
    words = list(re.finditer(r"\b[a-z]{6,}\b", text))
    if words and rng.random() < 0.16:
        for word in rng.sample(words, min(2, len(words))):
            at = word.start() + rng.randrange(1, len(word.group()) - 2)
            text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text


def _joined(*parts: str, by: str = " ") -> str:
    return by.join(part for part in parts if part)


class Writer:
    """Writes all cases in turn; remembers which texts were used."""

    def __init__(self) -> None:
        self._titles = {i.key: _deck(i, "titles") for i in catalogue.issues().values()}
        self._bodies = {i.key: _deck(i, "bodies") for i in catalogue.issues().values()}
        self._seen: Counter[str] = Counter()

    def write(self, case: PlannedCase) -> WrittenCase:
        """The words of one case."""
        rng = random.Random(f"{SEED}:words:{case.system}:{case.external_id}")
        industry = case.industry or "Retail"
        customers = catalogue.company()["customers"][industry]
        spoken = {catalogue.languages().get(name, "en") for name in customers} | {"en"}
        title, body, language = self._first_message(case, spoken)
        home = [name for name in customers if catalogue.languages().get(name, "en") == language]
        customer = rng.choice(home or customers)
        person = rng.choice(catalogue.company()["people"][language])
        title, body = _fill(title, case, rng), _fill(body, case, rng)
        if case.issue and not case.special.startswith("hostile"):
            body = self._dressed(body, case, language, person, customer, rng)
        if case.special.startswith("pii"):
            body += "\n\n" + catalogue.company()["pii"][int(case.special[4:])]["text"]
        notes = tuple(_note(case, at, rng) for at in range(len(case.tried)))
        thread = _thread(case, notes, person, rng)
        closed = (
            case.opened + timedelta(minutes=case.minutes)
            if case.state in {"solved", "duplicate"}
            else None
        )
        return WrittenCase(
            case, title, body, customer, person, language, notes, thread, closed, _rating(case, rng)
        )

    def _first_message(self, case: PlannedCase, spoken: set[str]) -> tuple[str, str, str]:
        kind, _, number = case.special.partition(":")
        if kind in {"noise", "hostile"}:
            entry = catalogue.company()[kind][int(number or case.number)]
            return entry["title"], entry["body"], "en"
        body = self._bodies[case.issue].deal(spoken)
        title = self._titles[case.issue].deal({body.language}, near=body.text)
        return title.text, body.text, body.language

    def _dressed(
        self,
        body: str,
        case: PlannedCase,
        language: str,
        person: str,
        customer: str,
        rng: random.Random,
    ) -> str:
        """The bare message, or the same with greeting, context, version line and signature."""
        voice = catalogue.voices()[language]
        for _ in range(4):
            text = self._one_dress(body, case, voice, person, customer, rng)
            text = _misspelt(text, rng) if language == "en" else text
            if not self._seen[text]:
                break
        self._seen[text] += 1
        return text

    def _one_dress(
        self,
        body: str,
        case: PlannedCase,
        voice: Table,
        person: str,
        customer: str,
        rng: random.Random,
    ) -> str:
        terse, log = len(body) < _TERSE, body.startswith(("20", "```", "UNH"))
        bare = rng.random() < (0.45 if terse or log else 0.3) and not self._seen[body]
        if bare:
            return body
        if case.system == "github":
            return f"{body}\n\n{_fill(rng.choice(_GITHUB_LINES), case, rng)}"
        more, env = _context(case, voice, rng)
        told = _joined(
            body, more, env, by="\n\n" if "\n" in body or log or rng.random() < 0.35 else " "
        )
        if (terse and rng.random() < 0.6) or case.system in {"tackle", "servicenow"}:
            return told
        opener = "" if _GREETS.match(body) else rng.choice(voice["openers"])
        closer = rng.choice(voice["closers"])
        signed = (
            _joined(person, rng.choice(("", customer, customer)), by="\n")
            if rng.random() < 0.8
            else person.split(maxsplit=1)[0]
        )
        legal = (
            rng.choice(voice["disclaimers"]) if voice["disclaimers"] and rng.random() < 0.08 else ""
        )
        return _joined(opener, told, f"{closer}\n{signed}", legal, by="\n\n")


def _about_money(case: PlannedCase) -> bool:
    return catalogue.issues()[case.issue].component == "Accounts"


def _context(case: PlannedCase, voice: Table, rng: random.Random) -> tuple[str, str]:
    """A sentence about the circumstances and one about the installation; either may be empty."""
    if _about_money(case):
        return (rng.choice(voice["office"]) if "office" in voice and rng.random() < 0.6 else "", "")
    more = rng.choice(voice["more"]) if rng.random() < 0.55 else ""
    env = rng.choice(voice["env"]) if rng.random() < 0.5 or not more else ""
    return more, _fill(env, case, rng)


def _deck(issue: Issue, part: str) -> _Deck:
    phrases = issue.titles if part == "titles" else issue.bodies
    return _Deck(phrases, random.Random(f"{SEED}:{part}:{issue.key}"), in_order=issue.rare)


def _note(case: PlannedCase, at: int, rng: random.Random) -> str:
    """What was written down of one attempt."""
    issue = catalogue.issues()[case.issue]
    phrases = issue.fix(case.tried[at].fix).texts
    local = [
        p
        for p in phrases
        if p.language == "en" or case.agent in {"Uwe Brandt", "Fiona Adler", "Carla Nunes"}
    ]
    chosen = local[0] if issue.linked else rng.choice(local)  # linked ones copy the note
    text = _fill(chosen.text, case, rng)
    if case.expects and at == len(case.tried) - 1:
        expect = rng.choice(catalogue.voices()["agent"]["expect"])
        text = f"{text} {expect.replace('{sign}', issue.sign)}"
    return text


def _thread(
    case: PlannedCase, notes: tuple[str, ...], person: str, rng: random.Random
) -> tuple[Message, ...]:
    """The conversation after the first message."""
    voice = catalogue.voices()["agent"]
    step = timedelta(minutes=max(2, case.minutes // (2 * len(notes) + 3)))
    now, messages = case.opened, []

    def say(text: str, *, agent: bool, tries: str = "", public: bool = True) -> None:
        nonlocal now
        now += step
        messages.append(Message(case.agent if agent else person, agent, now, text, tries, public))

    money = bool(case.issue) and _about_money(case)
    if (
        case.issue
        and not money
        and rng.random() < 0.18
        and case.state not in {"duplicate", "unanswered"}
    ):
        question, answer = rng.choice(voice["asks"])
        say(_reply(voice, question, case, person, rng), agent=True)
        say(_fill(answer, case, rng), agent=False)
    for note, tried in zip(notes, case.tried, strict=True):
        say(_reply(voice, note, case, person, rng), agent=True, tries=tried.fix)
        if tried.worked and rng.random() < 0.45:
            say(rng.choice(voice["settled" if money else "happy"]), agent=False)
        elif not tried.worked:
            again = case.state == "reopened" and tried is case.tried[-1]
            say(
                rng.choice(voice["reopened" if again else "unsettled" if money else "still"]),
                agent=False,
            )
    if case.escalated and case.system != "github" and rng.random() < 0.6:
        say("Escalated to the duty manager.", agent=True, public=False)
    return tuple(messages)


def _reply(voice: Table, note: str, case: PlannedCase, person: str, rng: random.Random) -> str:
    if rng.random() < 0.35 or case.system in {"github", "jira"}:
        return note
    greeting = rng.choice(voice["greetings"]).replace("{name}", person.split(maxsplit=1)[0])
    bridge = rng.choice(voice["bridges"])
    farewell = rng.choice(
        voice["farewells"][:4] if _about_money(case) else voice["farewells"]
    ).replace("{agent}", case.agent.split()[0])
    return _joined(greeting, _joined(bridge, note), farewell, by="\n\n")


def _rating(case: PlannedCase, rng: random.Random) -> str:
    if case.satisfied is None:
        return ""
    return str(rng.choice(catalogue.voices()["rating"]["good" if case.satisfied else "bad"]))


def written(cases: list[PlannedCase]) -> list[WrittenCase]:
    """All cases with their words, in the same order."""
    writer = Writer()
    return [writer.write(case) for case in cases]
