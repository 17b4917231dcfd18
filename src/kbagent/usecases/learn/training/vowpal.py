"""Vowpal Wabbit: `--cb_explore_adf` text, a multi-line example for each rewarded place.

A `shared` line with the question's words, then a line for each alternative; the one that was shown
carries `action:cost:probability` with cost = 1 − reward. The action number is its line, from 0.
"""

from collections.abc import Iterable, Iterator

from kbagent.core.text.tokens import tokens
from kbagent.usecases.learn.training.rollouts import Decided

WORDS = 40  # of a text that become features


def examples(rounds: Iterable[Decided], texts: dict[int, str]) -> Iterator[str]:
    """The examples, each ended by an empty line."""
    for one in rounds:
        lines = [f"shared |q {_features(one.rollout.lookup.query)} |p position={one.position}"]
        for number, (resolution_id, _share) in enumerate(one.alternatives):
            label = ""
            if resolution_id == one.resolution_id:
                label = f"{number}:{1.0 - one.reward:g}:{one.pscore:.9g} "
            words = _features(texts.get(resolution_id, ""))
            lines.append(f"{label}|r id=r{resolution_id} |t {words}")
        yield "\n".join(lines) + "\n\n"


def _features(text: str) -> str:
    """Words that VW takes as they are: colon, bar and white space mean something to it."""
    safe = (word.replace(":", "_").replace("|", "_") for word in dict.fromkeys(tokens(text)))
    return " ".join(list(safe)[:WORDS])
