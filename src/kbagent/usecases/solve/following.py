"""What a later outcome says of a run: which step was at fault, kept as a contradiction.

An answer that failed is the fault of Choose, until something of another issue is said to have
worked: then it was Recognise. A problem handed over as new or unsure, for which the nearest issue's
resolution worked, is the fault of Recognise too, and of Choose when another resolution than the
one preferred worked. What worked as answered blames nobody.
"""

from kbagent.model.case import Verdict
from kbagent.store import deviations, lookups, resolutions, runs
from kbagent.store.deviations import Deviation
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.runs import StoredRun
from kbagent.usecases.solve.trace import Ending, Stage

OUTCOME = "outcome"  # the name of the check that only an outcome can run


def credit(
    kb: KnowledgeBase, lookup_id: int, resolution_id: int, issue_id: int, verdict: Verdict
) -> str | None:
    """Mark the step of the run behind a lookup that this outcome blames; its name, or None.

    A lookup that no run made is none of ours. `issue_id` is the issue under which the resolution
    was shown.
    """
    run = runs.of_lookup(kb.connection, lookup_id)
    if run is None:
        return None
    head = resolutions.by_ids(kb.connection, [resolution_id])[resolution_id].canonical_id
    fault = _fault(run, head, issue_id, verdict)
    with kb.database.write() as connection:
        if fault is None:
            if verdict is not Verdict.FAILED and head == run.resolution_id:
                runs.set_fault(connection, run.id, None)
            return None
        runs.set_fault(connection, run.id, str(fault))
        deviations.add(connection, [_contradiction(kb, run, head, verdict, fault)])
    return str(fault)


def forgive(kb: KnowledgeBase, lookup_id: int | None) -> None:
    """An outcome was taken back: the run it blamed is blamed no more."""
    run = None if lookup_id is None else runs.of_lookup(kb.connection, lookup_id)
    if run is not None and run.fault is not None:
        with kb.database.write() as connection:
            runs.set_fault(connection, run.id, None)


def _fault(run: StoredRun, head: int, issue_id: int, verdict: Verdict) -> Stage | None:
    right = verdict in (Verdict.WORKED, Verdict.PARTLY)
    if right and run.issue_id is not None and issue_id != run.issue_id:
        return Stage.RECOGNISE
    if right and run.ending == str(Ending.HAND_OVER):
        return Stage.CHOOSE if run.resolution_id not in (None, head) else Stage.RECOGNISE
    if right:
        return None if head == run.resolution_id or run.resolution_id is None else Stage.CHOOSE
    return Stage.CHOOSE if head == run.resolution_id else None


def _contradiction(
    kb: KnowledgeBase, run: StoredRun, head: int, verdict: Verdict, fault: Stage
) -> Deviation:
    lookup = lookups.by_id(kb.connection, run.lookup_id)
    expected = run.ending if run.resolution_id is None else f"r{run.resolution_id} works"
    return Deviation(
        id=0,
        run_id=run.id,
        at=kb.clock(),
        kind="contradiction",
        step=str(fault),
        name=OUTCOME,
        issue_id=run.issue_id,
        resolution_id=head,
        expected=f"{expected} (run {lookup.handle if lookup else run.id})",
        observed=f"r{head} {verdict}",
        severity="stop",
    )
