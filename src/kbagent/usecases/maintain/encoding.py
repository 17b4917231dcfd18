"""Which encoder serves a knowledge base."""

from kbagent.errors import Damaged
from kbagent.store import models
from kbagent.store.encoder.session import Encoder, load_encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.models import StoredModel


def serving_encoder(kb: KnowledgeBase) -> Encoder:
    """The encoder of the active model, else the default one.

    Raises:
        ModelError: it cannot be found or exported.
        Damaged: it is not the one that made the stored vectors.
    """
    model = models.active(kb.connection)
    encoder = load_encoder(model.name if model else None, kb.notify)
    if model is not None and encoder.fingerprint != model.fingerprint:
        raise Damaged(
            what=f"its vectors were made by another {model.name} than the one found now",
            hint=f"Run `kbagent model use {model.name}` to encode the cases again.",
        )
    return encoder


def enrolled(kb: KnowledgeBase, encoder: Encoder) -> StoredModel:
    """The stored model of an encoder; the first encoder of a knowledge base becomes active."""
    known = models.by_fingerprint(kb.connection, encoder.fingerprint)
    if known is not None and known.state == "active":
        return known
    with kb.database.write() as connection:
        if known is None:
            state = "active" if models.active(connection) is None else "building"
            return models.add(
                connection,
                encoder.name,
                encoder.fingerprint,
                encoder.dimension,
                encoder.max_tokens,
                state,
                kb.clock(),
            )
    return known
