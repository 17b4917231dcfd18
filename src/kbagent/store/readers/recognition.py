"""Which preset a file's content is written for: by the names its rows have, not by its own name."""

from collections.abc import Iterator
from dataclasses import dataclass

from kbagent.store.readers.mapping import JoinRule, Mapping, presets
from kbagent.store.readers.shape import Listing, Shape


@dataclass(frozen=True, slots=True)
class Recognised:
    """A mapping and the list of rows it is for."""

    mapping: Mapping
    listing: Listing


def recognised(shape: Shape) -> Recognised | None:
    """The preset whose signature fits best, by number of names; ties by name. None for no fit."""
    best: tuple[int, Recognised] | None = None
    for mapping in presets().values():
        for listing in shape.listings:
            score = _score(mapping, shape, listing)
            if score and (best is None or score > best[0]):
                best = (score, Recognised(mapping, listing))
    return best[1] if best else None


def _score(mapping: Mapping, shape: Shape, listing: Listing) -> int:
    known, names = mapping.recognition, listing.plain_names
    if not (known.needs or known.some) or known.not_any & names or not known.needs <= names:
        return 0
    shared = known.some & names
    if known.some and len(shared) < known.at_least:
        return 0
    at_home = not known.items or shape.layout != "json" or listing.path in (*known.items, ())
    return len(known.needs) + len(shared) if at_home else 0


def listing_for(mapping: Mapping, shape: Shape) -> Listing:
    """The list that a mapping means: the one it names, else one it knows, else the largest."""
    if mapping.items is not None:
        for listing in shape.listings:
            if listing.path == mapping.items:
                return listing
        return Listing(mapping.items, ())
    for path in mapping.recognition.items:
        for listing in shape.listings:
            if listing.path == path:
                return listing
    return shape.listings[0]


def join_for(mapping: Mapping, shape: Shape) -> tuple[JoinRule, Listing] | None:
    """The companion that a file is for a mapping, and its rows; None when it is none."""
    candidates = [
        (len(rule.needs), rule, listing)
        for rule, listing in _joinable(mapping, shape)
        if rule.needs <= listing.plain_names
    ]
    if not candidates:
        return None
    _, rule, listing = max(candidates, key=lambda candidate: candidate[0])
    return rule, listing


def _joinable(mapping: Mapping, shape: Shape) -> Iterator[tuple[JoinRule, Listing]]:
    for rule in mapping.joins:
        for listing in shape.listings:
            if shape.layout != "json" or rule.items is None or listing.path in (rule.items, ()):
                yield rule, listing
