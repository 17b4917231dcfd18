"""People told two issues apart that counted as one in votes: from then on they do not.

Which issues are nearly one is learned with the confidence (`learn.confidence`); the next learning
leaves out by itself what people told apart. Imports no engine: `unlink` starts at once.
"""

import json

from kbagent.store import settings
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.ledger import record_event


def part_relatives(kb: KnowledgeBase, one: int, other: int) -> None:
    """These two issues are no relatives any more, in what is learned already."""
    kept = settings.get(kb.connection, settings.CONFIDENCE)
    values = {} if kept is None else json.loads(kept)
    pair = sorted((one, other))
    if pair not in values.get("kin", []):
        return
    values["kin"].remove(pair)
    with kb.database.write() as connection:
        settings.put(connection, settings.CONFIDENCE, json.dumps(values))
        record_event(connection, None, settings.CONFIDENCE_LEARNED, kb.clock(), None, values)
