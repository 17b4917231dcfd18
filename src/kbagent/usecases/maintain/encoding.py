"""Which encoder serves a knowledge base.

Importing this loads no engine: the encoder's are loaded when it is opened, beside other work where
the caller has some.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from kbagent.errors import Damaged
from kbagent.store import models
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.models import StoredModel

if TYPE_CHECKING:
    from kbagent.store.encoder.session import Encoder


def serving_encoder(kb: KnowledgeBase) -> "Encoder":
    """The encoder of the active model, else the default one.

    Raises:
        ModelError: it cannot be found or exported.
        Damaged: it is not the one that made the stored vectors.
    """
    from kbagent.store.encoder.session import load_encoder

    model = models.active(kb.connection)
    return _checked(load_encoder(model.name if model else None, kb.notify), model)


def encoder_ahead(kb: KnowledgeBase) -> "Callable[[], Encoder]":
    """Begin to open the serving encoder in a thread; what is returned waits for it.

    Most of the opening is onnxruntime's own work, for which Python need not stand still. What
    is returned raises what `serving_encoder` does.
    """
    model = models.active(kb.connection)
    opened: list[Encoder] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            from kbagent.store.encoder.session import load_encoder

            opened.append(load_encoder(model.name if model else None, kb.notify))
        except BaseException as error:  # noqa: BLE001 -- raised again where it is waited for
            failed.append(error)

    thread = threading.Thread(target=work, name="open encoder", daemon=True)
    thread.start()

    def wait() -> "Encoder":
        thread.join()
        if failed:
            raise failed[0]
        return _checked(opened[0], model)

    return wait


def _checked(encoder: "Encoder", model: StoredModel | None) -> "Encoder":
    if model is not None and encoder.fingerprint != model.fingerprint:
        raise Damaged(
            what=f"its vectors were made by another {model.name} than the one found now"
            " (other weights, or another version of kbagent)",
            hint=f"Run `kbagent model use {model.name}`: it encodes the cases again from their"
            " texts, and nothing is lost.",
        )
    return encoder


def enrolled(kb: KnowledgeBase, encoder: "Encoder") -> StoredModel:
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
