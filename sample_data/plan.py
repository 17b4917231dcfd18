"""What happened at Kelpfield Software: who had which problem when, what was tried, what helped.

Only facts, no wording. Every planted story of `README.md` is laid down here, with exact counts
where the story is about counts. Each draw comes from a generator seeded by issue and number, so
that a change to one issue leaves the others as they are.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sample_data import catalogue
from sample_data.catalogue import Issue
from sample_data.sketches import (
    FIRST_DAY,
    HOTFIX_421,
    LAST_DAY,
    NEW_HELPDESK,
    Sketch,
    Tried,
    day_of,
    seeded,
    sketches,
)

GITHUB_REPOSITORY = "kelpfield/binwright-link"
EVENING = (18, 23)  # hours of the late shift, company time
ESCALATED_BY_DAY, ESCALATED_IN_EVENING = 0.08, 0.30
PLANS = ("Starter", "Crew", "Depot", "Enterprise")


@dataclass(frozen=True, slots=True)
class PlannedCase:
    """Everything true about one case before anybody writes it down.

    `state` is solved, open, reopened, duplicate or unanswered; `satisfied` None means that
    nobody asked. `expects` says that the reply tells the customer how to see that it worked.
    """

    issue: str
    number: int
    system: str
    opened: datetime
    version: str
    os: str
    industry: str
    plan: str
    agent: str
    tried: tuple[Tried, ...]
    state: str
    escalated: bool
    satisfied: bool | None
    expects: bool
    minutes: int
    external_id: str = ""
    duplicate_of: str = ""
    special: str = ""
    missing: tuple[str, ...] = field(default=())

    @property
    def ref(self) -> str:
        """The case's name as kbagent will write it."""
        place = f"{GITHUB_REPOSITORY}#" if self.system == "github" else ""
        return f"{self.system}:{place}{self.external_id}"

    @property
    def evening(self) -> bool:
        """Whether it was opened in the late shift."""
        return EVENING[0] <= self.opened.hour < EVENING[1]

    @property
    def helped(self) -> str:
        """The key of the fix that worked, or nothing."""
        return next((t.fix for t in self.tried if t.worked), "")


def _moment(sketch: Sketch, rng: random.Random) -> datetime:
    """A minute within the sketch's span: working days mostly, a late shift of 22 %."""
    day = sketch.on
    while day is None or (sketch.on is None and day.weekday() > 4 and rng.random() < 0.8):
        day = sketch.first + timedelta(days=rng.randrange((sketch.last - sketch.first).days + 1))
    late = rng.random() < 0.22
    hour = (
        rng.choice((18, 19, 20, 21, 22))
        if late
        else rng.choice((7, 8, 8, 9, 9, 10, 11, 12, 13, 14, 14, 15, 16, 17))
    )
    return day.replace(hour=hour, minute=rng.randrange(60), second=rng.randrange(60))


def _version(opened: datetime, rng: random.Random, *, newest: bool) -> str:
    """The customer's version: the newest release that was out some weeks before, or today's."""
    lag = timedelta(days=0 if newest else rng.choice((0, 5, 14, 30, 60, 120)))
    out = [r for r in catalogue.company()["release"] if day_of(r["on"]) <= opened - lag]
    return out[-1]["version"] if out else "3.9"


def _system(issue: Issue, opened: datetime, rng: random.Random) -> str:
    if issue.human:
        return "freshdesk" if opened < NEW_HELPDESK else "zendesk"
    draw = rng.random()
    if draw < 0.64:
        return "freshdesk" if opened < NEW_HELPDESK else "zendesk"
    return "servicenow" if draw < 0.82 else "jira"


def _drawn_tries(issue: Issue, opened: datetime, rng: random.Random) -> tuple[Tried, ...]:
    fixes = [f for f in issue.fixes if f.key != "hotfix-4-2-1" or opened >= HOTFIX_421]
    best = rng.choices(fixes, weights=[max(f.share, 1) for f in fixes])[0]
    wrong = (
        [Tried(rng.choice(issue.wrong).key, worked=False)]
        if issue.wrong and rng.random() < 0.34
        else []
    )
    return (*wrong, Tried(best.key, worked=True))


def _state(issue: Issue, tried: tuple[Tried, ...], opened: datetime, rng: random.Random) -> str:
    if not tried:
        return "unanswered"
    if not tried[-1].worked:
        return "open"
    if issue.story in {"broken-fix", "android", "billing"} or issue.rare:
        return "solved"
    draw = rng.random()
    if opened > LAST_DAY - timedelta(days=14) and draw < 0.4:
        return "open"
    return "reopened" if draw < 0.045 else "unanswered" if draw < 0.065 else "solved"


def _agent(issue: Issue, system: str, rng: random.Random, *, evening: bool) -> str:
    agents = catalogue.company()["agents"]
    if issue.solver:
        return issue.solver
    team = "second" if system in {"jira", "github"} else "frontline"
    if system == "tackle":
        team = "billing" if issue.component == "Accounts" else "field"
    pool = [name for name in agents[team] if name != "Imbali Khoza"]
    return str(rng.choice(pool[-3:] if evening else pool))


def _satisfied(
    state: str, sign: str, rng: random.Random, *, worked: bool, expects: bool
) -> bool | None:
    """Whether a customer who was asked was content; None when there is no rating."""
    asked, draw = rng.random(), rng.random()
    if state in {"open", "unanswered", "duplicate"} or asked > (0.85 if sign else 0.5):
        return None
    if state == "reopened" or not worked:
        return draw < 0.15
    return draw < (0.9 if expects else 0.62 if sign else 0.8)


def _case(issue: Issue, number: int, sketch: Sketch) -> PlannedCase:
    rng = seeded(issue.key, number)
    opened = _moment(sketch, rng)
    system = sketch.system or _system(issue, opened, rng)
    tried = sketch.tried if sketch.tried is not None else _drawn_tries(issue, opened, rng)
    state = _state(issue, tried, opened, rng)
    if state == "reopened":
        tried = tuple(replace(each, worked=False) for each in tried)
    if state in {"open", "unanswered"} and sketch.tried is None:
        tried = ()
    evening = EVENING[0] <= opened.hour < EVENING[1]
    industries = [name for name in catalogue.company()["customers"] if name != "Pharmacy"] * 2
    expects = bool(issue.sign) and state == "solved" and rng.random() < 0.5
    chance = ESCALATED_IN_EVENING if evening else ESCALATED_BY_DAY
    worked = any(each.worked for each in tried)
    plan = rng.choice(PLANS[2:] if system == "servicenow" else PLANS)
    return PlannedCase(
        issue=issue.key,
        number=number,
        system=system,
        opened=opened,
        version=_version(opened, rng, newest=issue.story in {"release", "broken-fix"}),
        os=sketch.os or rng.choice(issue.os or catalogue.company()["os"][issue.component]),
        industry=sketch.industry or rng.choice([*industries, "Pharmacy"]),
        plan=plan,
        agent=_agent(issue, system, rng, evening=evening),
        tried=tried,
        state=state,
        escalated=bool(issue.human) or rng.random() < chance,
        satisfied=_satisfied(state, issue.sign, rng, worked=worked, expects=expects),
        expects=expects,
        minutes=int(rng.lognormvariate(4.6, 0.9)) + 8 + 55 * (len(tried) - 1 if tried else 0),
        missing=tuple(name for name, share in _GAPS if rng.random() < share),
    )


_GAPS = (
    ("version", 0.12),
    ("os", 0.18),
    ("industry", 0.06),
    ("component", 0.05),
    ("misfiled", 0.04),
)


def _noise() -> Iterator[PlannedCase]:
    for number, _ in enumerate(catalogue.company()["noise"]):
        rng = seeded("noise", number)
        opened = _moment(Sketch(first=NEW_HELPDESK), rng)
        yield PlannedCase(
            issue="", number=number, system="zendesk", opened=opened, version="", os="", industry="",
            plan=rng.choice(PLANS), agent="Piet van Wyk", tried=(), state="unanswered", escalated=False,
            satisfied=None, expects=False, minutes=rng.randrange(3, 40), special="noise",
        )  # fmt: skip


def _hostile() -> Iterator[PlannedCase]:
    for number, entry in enumerate(catalogue.company()["hostile"]):
        issue = catalogue.issues()[entry["issue"]]
        first, last = (
            (FIRST_DAY, NEW_HELPDESK)
            if entry["system"] == "freshdesk"
            else (NEW_HELPDESK, LAST_DAY)
        )
        tried = (Tried(issue.fixes[0].key, worked=True),)
        sketch = Sketch(
            first=first, last=last - timedelta(days=30), system=entry["system"], tried=tried
        )
        case = _case(issue, 900 + number, sketch)
        yield replace(case, special=f"hostile:{number}", state="solved", tried=tried, missing=())


def _with_duplicates(cases: list[PlannedCase]) -> list[PlannedCase]:
    """The later of two like cases in one system becomes an explicit duplicate, 16 times."""
    wanted = {"jira": 6, "github": 4, "zendesk": 4, "servicenow": 2}
    earlier: dict[tuple[str, str, str], PlannedCase] = {}
    result = []
    for case in cases:
        kind = (case.issue, case.system, "" if case.system in {"github", "jira"} else case.industry)
        first = earlier.get(kind)
        fits = first and case.opened - first.opened < timedelta(days=75) and not case.special
        if (
            fits
            and first
            and wanted.get(case.system, 0)
            and case.state == "solved"
            and case.issue != "recall-report"
        ):
            wanted[case.system] -= 1
            result.append(
                replace(
                    case,
                    state="duplicate",
                    tried=(),
                    satisfied=None,
                    expects=False,
                    duplicate_of=first.external_id,
                )
            )
        else:
            result.append(case)
            if case.state == "solved" and case.issue and not case.special:
                earlier[kind] = case
    return result


_IDS = {
    "zendesk": (20411, 7),
    "freshdesk": (3102, 6),
    "jira": (118, 5),
    "servicenow": (41207, 31),
    "github": (37, 9),
    "tackle": (1004, 4),
}


def _numbered(cases: list[PlannedCase]) -> list[PlannedCase]:
    """Ids in order of opening, with the gaps that deleted and internal tickets leave."""
    last = {system: start for system, (start, _) in _IDS.items()}
    rng = seeded("ids")
    result = []
    for case in cases:
        last[case.system] += rng.randrange(1, _IDS[case.system][1])
        number = last[case.system]
        names = {"jira": f"BWS-{number}", "servicenow": f"INC00{number}", "tackle": f"TK-{number}"}
        result.append(replace(case, external_id=names.get(case.system, str(number))))
    return result


def _linked(cases: list[PlannedCase]) -> list[PlannedCase]:
    """Later cases of some rare issues point to the first, though each was solved by itself."""
    first: dict[str, str] = {}
    result = []
    for case in cases:
        if case.issue and catalogue.issues()[case.issue].linked:
            earliest = first.setdefault(case.issue, case.external_id)
            case = replace(case, duplicate_of=earliest if earliest != case.external_id else "")  # noqa: PLW2901
        result.append(case)
    return result


def _with_personal_data(cases: list[PlannedCase]) -> list[PlannedCase]:
    """Marks one solved Zendesk or Freshdesk case for each piece of personal data."""
    fit = [
        c
        for c in cases
        if c.system in {"zendesk", "freshdesk"} and c.state == "solved" and not c.special
    ]
    pieces = len(catalogue.company()["pii"])
    chosen = {case.ref: i for i, case in enumerate(seeded("pii").sample(fit, pieces))}
    return [replace(c, special=f"pii:{chosen[c.ref]}") if c.ref in chosen else c for c in cases]


def planned() -> list[PlannedCase]:
    """All cases of the two years, in order of opening, numbered within their system."""
    cases = [
        _case(issue, number, sketch)
        for issue in catalogue.issues().values()
        for number, sketch in enumerate(sketches(issue))
    ]
    cases += [*_noise(), *_hostile()]
    cases.sort(key=lambda case: (case.opened, case.issue, case.number))
    return _with_personal_data(_linked(_with_duplicates(_numbered(cases))))


def utc(moment: datetime) -> datetime:
    """The same moment in UTC."""
    return moment.astimezone(UTC)
