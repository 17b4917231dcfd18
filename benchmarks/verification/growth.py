"""An office grown to any number of cases: the same families in many places, for timing only."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.verification.office import (
    MEMBERS,
    THINGS,
    VERSIONS,
    Family,
    Office,
    cases_of,
    issue_of,
)
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import create_knowledge_base
from kbagent.store.readers import open_export
from kbagent.usecases.retain.importing import ImportOptions, import_cases

PLACES = ("Accra", "Bergen", "Cusco", "Dakar", "Esbjerg", "Faro", "Genoa", "Hobart", "Izmir")


def grown_office(folder: Path, encoder: Encoder, cases: int, rng: np.random.Generator) -> Office:
    """Families of `MEMBERS` cases each, until there are as many cases."""
    kb = create_knowledge_base(folder)
    things = [one for kind in THINGS.values() for one in kind]
    families, rows = [], []
    for number in range(cases // MEMBERS):
        thing, symptom, component = things[number % len(things)]
        place = PLACES[number // len(things) % len(PLACES)]
        named = f"{thing} {place} {number // len(things)}"
        fix = f"cleared the cache of the {named} and restarted it"
        family = Family(number, named, symptom, component, dict.fromkeys(VERSIONS, fix), None)
        families.append(family)
        rows += cases_of(family, rng)
    path = folder.with_suffix(".jsonl")
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    export = open_export([path], format="kbagent")
    import_cases(kb, encoder, export, ImportOptions((path.name,), None), lambda _: None)
    return Office(kb, tuple(replace(one, issue_id=issue_of(kb, one)) for one in families))
