"""One case at a time: `kbagent add`, and the cases that feedback brings."""

from kbagent.core.text.redaction import Redactor
from kbagent.errors import UsageError
from kbagent.model.case import CaseRecord
from kbagent.store import cases
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.maintain.encoding import enrolled, serving_encoder
from kbagent.usecases.retain.intake import Intake
from kbagent.usecases.retain.placing import place_new_cases


def store_record(
    kb: KnowledgeBase,
    record: CaseRecord,
    *,
    encoder: Encoder | None = None,
    redactor: Redactor | None = None,
) -> int:
    """Retain one record as an import would, vectors included; the case's id.

    Raises:
        UsageError: the record has neither title nor body.
    """
    if not (record.title.strip() or record.body.strip()):
        raise UsageError(what="A case needs a title or a description.")
    encoder = encoder or serving_encoder(kb)
    model = enrolled(kb, encoder)
    intake = Intake(
        kb,
        encoder,
        model.id,
        redactor=redactor or Redactor(),
        on_reject=lambda _reject: None,
        progress=lambda _counts: None,
    )
    with kb.database.write():
        intake.run([record])
        stored = cases.stored(kb.connection, record.source, record.external_id)
    assert stored is not None  # noqa: S101 -- just stored
    return stored.id


def add_case(
    kb: KnowledgeBase,
    record: CaseRecord,
    *,
    encoder: Encoder | None = None,
    redactor: Redactor | None = None,
) -> int:
    """Retain one record and find the issue it belongs to; the case's id."""
    encoder = encoder or serving_encoder(kb)
    case_id = store_record(kb, record, encoder=encoder, redactor=redactor)
    place_new_cases(kb, encoder, enrolled(kb, encoder))
    return case_id


def next_local_id(kb: KnowledgeBase) -> str:
    """A free number for a case that no ticket system has named."""
    row = kb.connection.execute("SELECT count(*) FROM cases WHERE source = 'local'").fetchone()
    number = int(row[0]) + 1
    while cases.stored(kb.connection, "local", str(number)):
        number += 1
    return str(number)
