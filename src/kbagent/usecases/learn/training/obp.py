"""Open Bandit Pipeline: a `bandit_feedback` dictionary as arrays in one .npz.

n_rounds, n_actions; context (n, 64): the question's words, hashed with signs, of unit length
(Weinberger et al. 2009); action: the resolution's index in `action_id`; position from 0; reward;
pscore, the logged propensity of the action at its position.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kbagent.core.text.tokens import tokens
from kbagent.usecases.learn.training.rollouts import Decided

DIMENSION = 64


def arrays(rounds: Sequence[Decided]) -> dict[str, NDArray[Any]]:
    """The arrays by the names that OBP knows; `action_id` says which resolution an action is."""
    actions = sorted({key for one in rounds for key, _ in one.alternatives})
    index = {key: number for number, key in enumerate(actions)}
    context = [_context(one.rollout.lookup.query) for one in rounds]
    return {
        "n_rounds": np.array(len(rounds)),
        "n_actions": np.array(len(actions)),
        "context": np.array(context, dtype=np.float64).reshape(len(rounds), DIMENSION),
        "action": np.array([index[one.resolution_id] for one in rounds], dtype=np.int64),
        "position": np.array([one.position for one in rounds], dtype=np.int64),
        "reward": np.array([one.reward for one in rounds], dtype=np.float64),
        "pscore": np.array([one.pscore for one in rounds], dtype=np.float64),
        "action_id": np.array(actions, dtype=np.int64),
    }


def _context(text: str) -> NDArray[np.float64]:
    vector = np.zeros(DIMENSION)
    for word in tokens(text):
        digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).digest()
        number = int.from_bytes(digest, "big")
        vector[number % DIMENSION] += 1.0 if number >> 31 else -1.0
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
