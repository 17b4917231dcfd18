"""Mistakes in a policy file: each is told with its line, nothing is applied."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kbagent.errors import UsageError
from kbagent.usecases.revise import families, rules
from kbagent.usecases.revise.charter.amendment import amendment_to, apply
from kbagent.usecases.revise.charter.document import charter_of
from kbagent.usecases.revise.rules import Remark
from tests.usecases.revise.charter.conftest import Office

SCRAPS = [
    *("[limits]", "[[pin]]", "[[freeze]]", "issue='i1'", "resolution='r1'", "order=[]", "=", "{}"),
    *("[trust]", "max-displacement=1", "[[require-human]]", "facet='a=b'", "until=1", "x.y=1"),
    *("[pin]", "pin=[1]", "trust=1", "limits=[[]]", "until=2027-01-01", "'''"),
]
PIN = '[[pin]]\nissue = "i1"\nresolution = "r1"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits\n", "no TOML"),
        ("a = 1\x00", "NUL byte"),
        ("[limit]\n", r"line 1: write each as \[\[limit\]\]"),
        ("[nothing]\n", "line 1: unknown section 'nothing'; known are limits"),
        ("[promises]\n", "line 1: unknown section 'promises'; do you mean promise"),
        ("[limits]\nmax-displacment = 1\n", "line 2: unknown key .* max-displacement"),
        ("[limits]\nmax-displacement = true\n", "line 2: max-displacement must be a whole number"),
        ("[limits]\nminimum-evidence = -1\n", "line 2"),
        ("[promise]\nmax-error = 1.5\n", "line 2: max-error must be a share"),
        ("[promise]\nmax-error = 0.1\nmin-coverage = 0.5\n", "line 1: promise .* not both"),
        ("[trust]\nana = 4\n", "line 2: trust in 'ana' must be a number from 0 to 3"),
        ("\n\n[[pin]]\nissue = 'i1'\n", r"line 3: \[\[pin\]\] needs resolution"),
        ("[[pin]]\nissue = 'i7'\nresolution = 'r1'\n", "line 2: there is no issue i7"),
        ("[[pin]]\nissue = 'x'\nresolution = 'r1'\n", "line 2: 'x' names no issue"),
        ("[[pin]]\nissue = 'i1'\nresolution = 'r77'\n", "line 3: there is no resolution 'r77'"),
        ("[[pin]]\nissue = 'i1'\nresolution = 'r4'\n", "line 3: r4 was never tried on i1"),
        ("[[pin]]\nissue = 'i1'\nresolution = 3\n", "line 3: resolution must be a text"),
        ("[[pin]]\nissue = 'i1'\nresolution = 'r1'\nqueue = 'x'\n", "line 4: unknown key 'queue'"),
        (PIN + PIN, "line 4: the same rule as on line 1"),
        (PIN + "[[forbid]]\nresolution = 'r1'\n", "line 1: r1 is pinned for i1, but forbidden"),
        (PIN + "[[forbid]]\nresolution = 'r1'\nissue = 'i1'\n", "forbidden on line 4"),
        (PIN + "[[deprecate]]\nresolution = 'r1'\n", "but deprecated on line 4"),
        ("[[deprecate]]\nresolution = 'r1'\nuntil = 'soon'\n", "line 3: until must be a date"),
        ("[[deprecate]]\nresolution = 'r1'\nreplaced-by = 'r1'\n", "line 3: r1 cannot replace"),
        (
            "[[deprecate]]\nresolution = 'r1'\nreplaced-by = 'r2'\n[[forbid]]\nresolution = 'r2'\n",
            "line 1: r1 is replaced by r2, which is forbidden on line 4",
        ),
        ("[[require-human]]\nqueue = 'x'\n", "line 1: .* names one of issue, keyword and facet"),
        ("[[require-human]]\nkeyword = 'a'\nissue = 'i1'\n", "names one of"),
        ("[[require-human]]\nfacet = 'team'\n", "line 2: facet must be written"),
        ("[[limit]]\nissue = 'i1'\n", "needs max-displacement"),
        ("[[limit]]\nissue='i1'\nmax-displacement=1\n" * 2, "the same rule"),
        (
            "[[limit]]\nissue='i1'\nmax-displacement=1\n[[limit]]\nissue='i1'\nmax-displacement=2",
            "i1 has a limit, as it has on line",
        ),
        ("[[freeze]]\nissue = 'i1'\norder = 'r1'\n", "line 3: order must be a list"),
        ("[[freeze]]\nissue = 'i1'\norder = ['r9']\n", "line 3: there is no resolution 'r9'"),
        ("[[freeze]]\nissue='i1'\n[[freeze]]\nissue='i1'\norder=['r1']\n", "i1 is frozen"),
        ('[[forbid]]\nresolution = "r1"\nreason = """\n[[pin]]\n"""\nx = 1\n', "line 6: unknown"),
    ],
)
def test_a_mistake_is_told_with_its_line(office: Office, text: str, said: str) -> None:
    before = office.dump()
    with pytest.raises(UsageError, match=said):
        office.read(text)
    assert office.dump() == before


def test_every_mistake_is_told_at_once_in_the_order_of_the_file(office: Office) -> None:
    with pytest.raises(UsageError) as error:
        office.read("[limits]\nx = 1\n[trust]\na = 9\n[[forbid]]\n")
    told = str(error.value)
    assert [told.index(f"line {n}:") for n in (2, 4, 5)] == sorted(
        told.index(f"line {n}:") for n in (2, 4, 5)
    )


def test_a_contradiction_that_a_command_let_in_is_printed_and_stays(office: Office) -> None:
    rules.pin(office.kb, "i1", "r1", Remark())
    rules.forbid(office.kb, "r1", None, Remark())
    assert not amendment_to(office.kb, office.read(office.text())).changes
    assert office.put(office.text() + "[[forbid]]\nresolution = 'r4'\n") is not None


def test_a_rule_of_an_issue_that_was_merged_stays_where_it_is(office: Office) -> None:
    rules.pin(office.kb, "i1", "r1", Remark())
    families.merge(office.kb, 2, 1)
    assert not amendment_to(office.kb, office.read(office.text())).changes
    with pytest.raises(UsageError, match="there is no issue i1: Its cases are in i2 now"):
        office.read("[[require-human]]\nissue = 'i1'\n")


def test_what_was_changed_meanwhile_is_not_overwritten(office: Office) -> None:
    base = charter_of(office.kb)
    amendment = amendment_to(office.kb, office.read("[limits]\nminimum-evidence = 2\n"))
    rules.forbid(office.kb, "r2", None, Remark())
    with pytest.raises(UsageError, match="changed the rules meanwhile"):
        apply(office.kb, amendment, base=base)
    assert [one.kind for one in rules.standing(office.kb)] == ["forbid"]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    text=st.text(max_size=60)
    | st.lists(
        st.sampled_from(SCRAPS),
        max_size=9,
    ).map("\n".join)
)
def test_nonsense_is_refused_with_a_message_or_read(office: Office, text: str) -> None:
    try:
        office.read(text)
    except UsageError as error:
        assert str(error)
