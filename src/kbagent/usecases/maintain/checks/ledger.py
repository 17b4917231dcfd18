"""Is what people and exports reported all there, in order, and counted right?"""

from kbagent.model.health import Finding, damaged, note, sound
from kbagent.store import transfer
from kbagent.usecases.maintain.checks.database import RESTORE
from kbagent.usecases.maintain.checks.patient import NAMED, Patient, plural
from kbagent.usecases.retain.thresholds import link_threshold

_CLOSE = 1e-6


def sequence(patient: Patient) -> Finding:
    """Outcomes are numbered without a gap, and what they take back came before them."""
    count = patient.number("SELECT count(*) FROM outcomes")
    gaps = patient.number("SELECT coalesce(max(id), 0) FROM outcomes") - count
    if gaps:
        return damaged(f"{plural(gaps, 'entry')} of the ledger are missing", RESTORE)
    wrong = patient.rows(
        """SELECT later.id FROM outcomes AS later JOIN outcomes AS former
            ON former.id = later.undoes
        WHERE former.id >= later.id OR former.case_id != later.case_id
            OR former.resolution_id != later.resolution_id LIMIT ?""",
        NAMED,
    )
    if wrong:
        items = tuple(f"outcome {row[0]}" for row in wrong)
        return damaged("entries take back what they cannot", RESTORE, items)
    early = patient.number(
        """SELECT count(*) FROM (SELECT recorded_at, lag(recorded_at) OVER (ORDER BY id) AS former
            FROM outcomes) WHERE recorded_at < former"""
    )
    if early:
        return note(
            f"{plural(early, 'outcome')} recorded before the one that came before it",
            "This computer's clock was set back; `--as-of` sees them in the order of the clock.",
        )
    return sound(f"{plural(count, 'outcome')}, none missing, in order")


def tallies(patient: Patient) -> Finding:
    """The kept sums are those of the ledger."""
    kept = {row[0]: row[1:] for row in patient.rows("SELECT * FROM tallies")}
    folded = {row[0]: row[1:] for row in patient.rows(transfer.FOLD)}
    wrong = [
        key
        for key in kept.keys() | folded.keys()
        if any(
            abs(float(str(a)) - float(str(b))) > _CLOSE
            for a, b in zip(kept.get(key, (0, 0)), folded.get(key, (0, 0)), strict=True)
        )
    ]
    if wrong:
        items = tuple(f"r{key}" for key in sorted(map(str, wrong))[:NAMED])
        return damaged(f"{plural(len(wrong), 'tally')} are not the sum of the ledger", "", items)
    return sound(f"{plural(len(folded), 'resolution')} counted as the ledger says")


def mend_tallies(patient: Patient) -> str:
    """Sum the ledger up again."""
    with patient.kb.database.write() as connection:
        transfer.refold_tallies(connection)
    return "summed the ledger up again"


def approaches(patient: Patient) -> Finding:
    """Every resolution belongs to one approach, which is its own."""
    wrong = patient.rows(
        """SELECT one.id FROM resolutions AS one
        LEFT JOIN resolutions AS head ON head.id = one.canonical_id
        WHERE head.id IS NULL OR head.canonical_id != head.id LIMIT ?""",
        NAMED,
    )
    count = patient.number("SELECT count(DISTINCT canonical_id) FROM resolutions")
    if wrong:
        items = tuple(f"r{row[0]}" for row in wrong)
        return damaged("resolutions belong to an approach that is none", "", items)
    return sound(f"{plural(count, 'approach')}" if count == 1 else f"{count:,} approaches")


def mend_approaches(patient: Patient) -> str:
    """Each of them becomes an approach of its own, or follows on to the last head."""
    with patient.kb.database.write() as connection:
        connection.execute(
            "UPDATE resolutions SET canonical_id = id"
            " WHERE canonical_id NOT IN (SELECT id FROM resolutions)"
        )
        while connection.execute(
            """UPDATE resolutions SET canonical_id = (SELECT head.canonical_id
                FROM resolutions AS head WHERE head.id = resolutions.canonical_id)
            WHERE EXISTS (SELECT 1 FROM resolutions AS head
                WHERE head.id = resolutions.canonical_id AND head.canonical_id != head.id
                    AND head.canonical_id != resolutions.id AND head.id != resolutions.id)"""
        ).rowcount:
            continue
        connection.execute(
            """UPDATE resolutions SET canonical_id = id WHERE canonical_id IN
            (SELECT id FROM resolutions WHERE canonical_id != id)"""
        )
    return "gave every resolution its approach"


def memberships(patient: Patient) -> Finding:
    """Every case is in one issue that exists, the one that the log of placing names last."""
    cases = patient.number("SELECT count(*) FROM cases WHERE withdrawn_at IS NULL")
    homeless = patient.rows(
        """SELECT cases.id FROM cases LEFT JOIN memberships ON case_id = cases.id
        LEFT JOIN issues ON issues.id = issue_id
        WHERE withdrawn_at IS NULL AND issues.id IS NULL LIMIT 10000"""
    )
    if homeless:
        items = tuple(f"case {row[0]}" for row in homeless[:NAMED])
        return damaged(f"{plural(len(homeless), 'case')} without an issue", "", items)
    strayed = patient.rows(
        """SELECT memberships.case_id FROM memberships JOIN
            (SELECT case_id, max(id) AS last FROM membership_log GROUP BY case_id) AS newest
            ON newest.case_id = memberships.case_id
        JOIN membership_log AS log ON log.id = newest.last
        WHERE log.issue_id != memberships.issue_id LIMIT 10000"""
    )
    if strayed:
        items = tuple(f"case {row[0]}" for row in strayed[:NAMED])
        what = f"{plural(len(strayed), 'case')} in another issue than the log says"
        return damaged(what, "", items)
    issues = patient.number("SELECT count(DISTINCT issue_id) FROM memberships")
    return sound(f"{plural(cases, 'case')} in {plural(issues, 'issue')}, each in one")


def threshold(patient: Patient) -> Finding:
    """From which confidence a case joins an issue by itself, and where that figure comes from."""
    found = link_threshold(patient.kb)
    if found.learned_on == 0:
        return sound(
            f"cases join from {found.confidence:.2f} on: the default, until this knowledge base"
            " has enough links of its own"
        )
    learned = (
        f"learned on {plural(found.learned_on, 'linked case')} for {found.precision:.0%} right"
    )
    if found.confidence > 1.0:
        return sound(f"no case joins by similarity: {learned} joins, and none reaches it")
    return sound(f"cases join from {found.confidence:.2f} on: {learned} joins")


def mend_memberships(patient: Patient) -> str:
    """Follow the log of placing where it names an issue; found one for the rest."""
    from kbagent.usecases.maintain.encoding import enrolled
    from kbagent.usecases.retain.placing import place_new_cases

    with patient.kb.database.write() as connection:
        connection.execute("DELETE FROM memberships WHERE issue_id NOT IN (SELECT id FROM issues)")
        connection.execute(
            """INSERT INTO memberships (case_id, issue_id, kind, confidence, method)
            SELECT log.case_id, issue_id, kind, confidence, method FROM membership_log AS log
            JOIN (SELECT case_id, max(id) AS last FROM membership_log GROUP BY case_id) AS newest
                ON newest.last = log.id
            WHERE issue_id IN (SELECT id FROM issues) AND log.case_id IN
                (SELECT id FROM cases WHERE withdrawn_at IS NULL)
            ON CONFLICT (case_id) DO UPDATE SET issue_id = excluded.issue_id,
                kind = excluded.kind, confidence = excluded.confidence, method = excluded.method
            WHERE issue_id != excluded.issue_id"""
        )
    encoder = patient.encoder()
    place_new_cases(patient.kb, encoder, enrolled(patient.kb, encoder))
    return "placed them as the log says, the rest anew"
