"""Doctor: nothing wrong is overlooked, what follows from the rest is mended, the rest is asked."""

import json
import os
import shutil
import signal
import sqlite3
import threading

import numpy as np
import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.doctor import format_health, health_json
from kbagent.errors import Damaged
from kbagent.model.health import State
from kbagent.store import adapters, models, settings
from kbagent.store.encoder import cache
from kbagent.store.index import acquaintance, keepsakes
from kbagent.store.index.manifests import footprint
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.maintain import diagnosis
from kbagent.usecases.maintain.checks import vectors
from kbagent.usecases.maintain.diagnosis import CHECKS, diagnose
from kbagent.usecases.maintain.indexing import extend_dense
from kbagent.usecases.maintain.spaces import space_of
from kbagent.usecases.retain import thresholds
from kbagent.usecases.revise.withdrawal import remove_for_good
from tests.fakes.bases import filled
from tests.fakes.encoder import FakeEncoder


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template") / "kb"
    filled(folder, 48).close()
    return folder


@pytest.fixture
def kb(tmp_path, template):
    shutil.copytree(template, tmp_path / "kb")
    with open_knowledge_base(tmp_path / "kb") as base:
        yield base


def states(kb, **options):
    health = diagnose(kb, FakeEncoder, **options)
    return {one.name: one.finding.state for one in health.checked}, health


def damaged_checks(kb, **options):
    found, health = states(kb, **options)
    assert health.damaged == (State.DAMAGED in found.values())
    return {name for name, state in found.items() if state is State.DAMAGED}


def execute(kb, *statements):
    """What no code of ours does: change rows behind the back of triggers and references."""
    kb.connection.execute("PRAGMA foreign_keys = OFF")
    for statement in statements:
        kb.connection.execute(statement)
    kb.connection.execute("PRAGMA foreign_keys = ON")


def test_a_sound_knowledge_base_is_found_sound(kb):
    found, _ = states(kb)
    assert set(found.values()) == {State.SOUND}
    assert list(found) == [check.name for check in CHECKS]


def test_an_empty_one_has_nothing_wrong(tmp_path):
    from kbagent.store.knowledge_base import create_knowledge_base

    with create_knowledge_base(tmp_path / "new") as kb:
        assert damaged_checks(kb) == set()


MENDED = {
    "tallies": ["UPDATE tallies SET reward = reward + 1 WHERE resolution_id = 1"],
    "tallies (gone)": ["DELETE FROM tallies"],
    "issues": ["DELETE FROM memberships WHERE case_id IN (3, 7)"],
    "issues (another)": [
        "UPDATE memberships SET issue_id = (SELECT max(id) FROM issues) WHERE case_id = 1"
    ],
    "approaches": ["UPDATE resolutions SET canonical_id = 999 WHERE id = 2"],
    "vectors: all there": ["DELETE FROM passages WHERE case_id = 4"],
    "vectors: all there (retired)": ["UPDATE passages SET retired = 1 WHERE case_id = 4"],
    "vectors: all there (words)": ["DELETE FROM documents WHERE case_id = 4"],
    "vectors: shape": ["UPDATE passages SET vector = x'00ff' WHERE case_id = 4"],
    "vectors: shape (length)": ["UPDATE passages SET vector = zeroblob(128) WHERE case_id = 4"],
}


@pytest.mark.parametrize("name", MENDED)
def test_what_follows_from_the_rest_is_mended(kb, name):
    execute(kb, *MENDED[name])
    check = name.partition(" (")[0]
    assert check in damaged_checks(kb)
    found, health = states(kb, repair=True)
    assert not health.damaged, health_json(health)
    assert found[check] is State.MENDED
    assert damaged_checks(kb) == set()


def test_mended_memberships_are_those_of_the_log(kb):
    before = kb.connection.execute("SELECT * FROM memberships ORDER BY case_id").fetchall()
    execute(kb, "UPDATE memberships SET issue_id = 2", "DELETE FROM memberships WHERE case_id < 9")
    states(kb, repair=True)
    assert before == kb.connection.execute("SELECT * FROM memberships ORDER BY case_id").fetchall()


def test_mended_vectors_are_those_of_the_texts(kb):
    query = "SELECT case_id, vector FROM passages WHERE retired = 0 ORDER BY case_id"
    before = kb.connection.execute(query).fetchall()
    swapped = "UPDATE passages SET vector = (SELECT vector FROM passages WHERE id = 1)"
    execute(kb, swapped + " WHERE case_id BETWEEN 2 AND 48")
    assert damaged_checks(kb) >= {"vectors: of the text"}
    states(kb, repair=True)
    assert damaged_checks(kb) == set()
    assert kb.connection.execute(query).fetchall() == before


class OtherEngine(FakeEncoder):
    """The same encoder where another processor rounds otherwise."""

    drift = 0.006

    def encode(self, texts):
        vectors = super().encode(texts)
        noise = np.random.default_rng(3).standard_normal(self.dimension).astype(np.float32)
        vectors = vectors + self.drift * noise
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def of_text(kb, encoder):
    health = diagnose(kb, encoder)
    return next(one.finding for one in health.checked if one.name == "vectors: of the text")


def test_another_processor_or_runtime_is_no_damage_and_is_told_of(kb):
    finding = of_text(kb, OtherEngine)
    assert finding.state is State.NOTE
    assert "least cosine 0.99" in finding.what


def test_vectors_of_another_text_are_found_also_by_another_engine(kb):
    one = "UPDATE passages SET vector = (SELECT vector FROM passages WHERE id = 1)"
    execute(kb, one + " WHERE case_id BETWEEN 2 AND 48")
    assert of_text(kb, OtherEngine).state is State.DAMAGED


def test_few_vectors_that_are_nearly_right_are_damage_where_the_others_are_exact(kb):
    [case_id, blob] = kb.connection.execute(
        "SELECT case_id, vector FROM passages LIMIT 1"
    ).fetchone()
    vector = np.frombuffer(blob, dtype=np.float16).copy()
    place = int(np.argsort(np.abs(vector))[len(vector) // 2])
    vector[place] = -vector[place]  # one bit
    assert 0.97 < float(vector @ np.frombuffer(blob, dtype=np.float16)) < 0.999
    kb.connection.execute(
        "UPDATE passages SET vector = ? WHERE case_id = ?", (vector.tobytes(), case_id)
    )
    finding = of_text_everywhere(kb)
    assert finding.items == (f"case {case_id}",)


def of_text_everywhere(kb):
    """What the check finds when every case is in its sample."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "SAMPLE", 48)
        return of_text(kb, FakeEncoder)


def test_the_ledger_is_never_mended(kb):
    execute(kb, "DELETE FROM outcomes WHERE id = 5")
    assert "ledger" in damaged_checks(kb)
    assert "ledger" in damaged_checks(kb, repair=True, confirm=lambda _question: True)


def test_what_refers_to_nothing_is_removed_only_after_asking(kb):
    execute(kb, "UPDATE attempts SET case_id = 999 WHERE id = 1")
    asked = []

    def no(question):
        asked.append(question)
        return False

    assert "references" in damaged_checks(kb, repair=True, confirm=no)
    assert len(asked) == 1
    assert damaged_checks(kb, repair=True, confirm=lambda _question: True) == set()
    assert kb.connection.execute("SELECT 1 FROM attempts WHERE id = 1").fetchone() is None


def test_a_trigger_that_is_not_ours_is_found(kb):
    execute(kb, "CREATE TRIGGER evil AFTER INSERT ON outcomes BEGIN DELETE FROM cases; END")
    assert damaged_checks(kb) == {"database schema"}


def test_a_missing_trigger_is_found(kb):
    execute(kb, "DROP TRIGGER outcomes_never_change")
    assert damaged_checks(kb) == {"database schema"}


@pytest.mark.parametrize("pattern", ["dense/*.faiss", "dense/*.ids", "lexical/state-*/*.store"])
def test_a_flipped_bit_in_an_index_is_found_and_mended(kb, pattern):
    path = next(kb.index_folder.glob(pattern))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.chmod(0o600)
    path.write_bytes(content)
    name = pattern.split("/", maxsplit=1)[0]
    assert f"{name} index: bytes" in damaged_checks(kb)
    assert damaged_checks(kb, repair=True) == set()
    assert set(states(kb)[0].values()) == {State.SOUND}


def test_an_index_whose_bytes_are_right_but_content_is_not_is_found(kb):
    import faiss

    manifest = next(kb.index_folder.glob("dense/manifest.json"))
    path = next(kb.index_folder.glob("dense/*.faiss"))
    index = faiss.read_index(str(path))
    wrong = faiss.IndexScalarQuantizer(
        index.d, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    noise = np.random.default_rng(0).standard_normal((index.ntotal, index.d)).astype("f4") / 8
    wrong.train(noise)
    wrong.add(noise)
    faiss.write_index(wrong, str(path))
    path.chmod(0o600)
    raw = json.loads(manifest.read_text())
    made = footprint(path)
    del raw["checksum"]
    raw["shards"][0]["vectors"] = {
        name: getattr(made, name) for name in ("size", "parity", "sample", "crc32")
    }
    manifest.write_text(json.dumps(raw))
    assert damaged_checks(kb) == {"dense index: answers"}
    assert damaged_checks(kb, repair=True) == set()


def test_a_page_of_the_database_that_is_damaged_is_found(kb, tmp_path):
    (root,) = kb.connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'membership_log'"
    ).fetchone()
    kb.close()
    path = kb.database.path
    content = bytearray(path.read_bytes())
    content[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    with open_knowledge_base(tmp_path / "kb") as base:
        found, health = states(base, repair=True)
    assert found["database pages"] is State.DAMAGED
    assert health.damaged


def test_a_database_that_cannot_be_opened_is_damaged(kb, tmp_path):
    kb.close()
    content = kb.database.path.read_bytes()
    kb.database.path.write_bytes(b"\xff" * 4096 + content[4096:])
    with pytest.raises(Damaged):
        open_knowledge_base(tmp_path / "kb")


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_files_that_others_can_read_are_found_and_closed(kb):
    kb.database.path.chmod(0o644)
    kb.index_folder.chmod(0o755)
    assert damaged_checks(kb) == {"file modes"}
    assert damaged_checks(kb, repair=True) == set()
    assert kb.database.path.stat().st_mode & 0o777 == 0o600


def test_left_over_files_of_interrupted_processes_go_and_young_ones_stay(kb):
    old, young = kb.index_folder / ".old.tmp", kb.index_folder / ".young.tmp"
    for path in (old, young):
        path.write_text("x")
        path.chmod(0o600)
    os.utime(old, (0, 0))
    assert damaged_checks(kb) == {"left-over files"}
    assert damaged_checks(kb, repair=True) == set()
    assert young.exists()
    assert not old.exists()


def test_another_encoder_than_the_one_that_made_the_vectors_is_found(kb):
    health = diagnose(kb, lambda: FakeEncoder(name="other"))
    assert "encoder" in {one.name for one in health.checked if one.finding.state is State.DAMAGED}


def test_exports_for_older_versions_are_told_of_and_left(kb, tmp_path, monkeypatch):
    monkeypatch.setenv("KBAGENT_CACHE", str(tmp_path / "cache"))
    current = cache.folder_of(models.active(kb.connection).name)
    old = current.with_name(current.name.removesuffix(f"-f{cache.FORMAT}"))
    old.mkdir(parents=True)
    assert damaged_checks(kb, repair=True) == set()
    _, health = states(kb)
    finding = next(one.finding for one in health.checked if one.name == "encoder")
    assert finding.state is State.NOTE
    assert old.name in finding.what and str(old.parent) in finding.hint
    assert old.exists()


def test_a_check_that_cannot_look_says_so(kb, monkeypatch):
    def broken(_patient):
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(diagnosis, "CHECKS", (diagnosis.Check("pages", broken),))
    _, health = states(kb)
    assert health.damaged
    assert "cannot be read" in health.checked[0].finding.what


def test_the_screen_keeps_to_eighty_columns(kb):
    execute(kb, "DELETE FROM tallies", "DELETE FROM memberships WHERE case_id = 5")
    _, health = states(kb)
    lines = draw(format_health(health, width=80), 80, colour=False).splitlines()
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "tallies                damaged" in text
    assert f"2 of {len(CHECKS)} checks found damage." in text
    assert "kbagent doctor --repair" in text


def test_doctor_says_where_the_link_threshold_comes_from(kb):
    def told():
        _, health = states(kb)
        return next(one.finding.what for one in health.checked if one.name == "link threshold")

    assert "0.90" in told()
    assert "the default" in told()
    learned = {"confidence": 0.83, "precision": 0.9, "learned_on": 140, "seen": 700}
    with kb.database.write() as connection:
        settings.put(connection, thresholds.KEY, json.dumps(learned))
    assert told() == "cases join from 0.83 on: learned on 140 linked cases for 90% right joins"


@pytest.fixture
def adapted(kb):
    """With a learned adapter and the index of it."""
    model = models.active(kb.connection)
    matrix = np.eye(64, dtype="f4") + np.random.default_rng(1).normal(0, 0.1, (64, 64)).astype("f4")
    with kb.database.write() as connection:
        adapters.add(connection, "a1", model.id, matrix, kb.clock())
    extend_dense(kb, space_of(kb, model, "a1"))
    return kb


def forged(folder, index):
    """Another index in place of a shard's, with the right checksums."""
    import faiss

    path = next(folder.glob("*.faiss"))
    faiss.write_index(index, str(path))
    path.chmod(0o600)
    raw = json.loads((folder / "manifest.json").read_text())
    made = footprint(path)
    raw["shards"][0]["vectors"] = {
        name: getattr(made, name) for name in ("size", "parity", "sample", "crc32")
    }
    del raw["checksum"]
    (folder / "manifest.json").write_text(json.dumps(raw))


def test_the_index_of_an_adapter_is_looked_at_like_the_plain_one(adapted):
    found, health = states(adapted)
    assert set(found.values()) == {State.SOUND}
    rows = next(one for one in health.checked if one.name == "dense index: rows")
    assert rows.finding.what.endswith("1 adapter likewise")


def test_vectors_that_an_adapter_did_not_turn_are_found_in_its_index(adapted):
    import faiss

    plain = next(adapted.index_folder.glob("dense/*.faiss"))
    forged(adapted.index_folder / "dense-a1", faiss.read_index(str(plain)))
    found, health = states(adapted)
    assert found["dense index: answers"] is State.DAMAGED
    assert "adapter a1" in str(health.checked)
    assert damaged_checks(adapted, repair=True) == set()
    assert damaged_checks(adapted) == set()


def test_a_row_that_an_adapters_index_lacks_is_found(kb, adapted):
    shutil.rmtree(kb.index_folder / "dense-a1")
    execute(kb, "UPDATE passages SET retired = 1 WHERE case_id = 4")
    extend_dense(kb, space_of(kb, models.active(kb.connection), "a1"))
    execute(kb, "UPDATE passages SET retired = 0 WHERE case_id = 4")
    assert "dense index: rows" in damaged_checks(kb)
    assert damaged_checks(kb, repair=True) == set()


@pytest.mark.parametrize("name", ["cases", "density"])
def test_harm_to_what_is_usual_is_found_and_it_is_made_anew(kb, name):
    acquaintance.save(
        kb.index_folder, {"cases": np.arange(9), "density": np.ones(9)}, {"stamp": "1"}
    )
    assert damaged_checks(kb) == set()
    path = next(kb.index_folder.glob(f"*/{name}.npy"))
    path.write_bytes(path.read_bytes()[:-3])
    assert damaged_checks(kb) == {"what is usual: bytes"}
    assert damaged_checks(kb, repair=True) == set()
    assert not list(kb.index_folder.glob("acquaintance*"))


def test_harm_to_kept_routers_is_found_and_they_are_made_anew(kb):
    keepsakes.save(kb.index_folder, "router of queue", {"weights": np.arange(9.0)}, {"n": 1})
    keepsakes.save(kb.index_folder, "patterns", {"cases": np.arange(9)}, {"n": 1})
    assert set(states(kb)[0].values()) == {State.SOUND}  # and nothing strange is there
    broken, whole = sorted((kb.index_folder / keepsakes.FOLDER).iterdir())
    content = bytearray(broken.read_bytes())
    content[len(content) // 3] ^= 1
    broken.write_bytes(content)
    assert damaged_checks(kb) == {"kept routers: bytes"}
    assert damaged_checks(kb, repair=True) == set()
    assert not broken.exists()
    assert whole.exists()


def test_what_no_index_names_any_more_goes_when_it_is_old(kb):
    index = kb.index_folder
    orphans = [
        index / "dense-gone",
        index / "dense" / "shard-1-9-9.faiss",
        index / "lexical" / "state-77",
        index / "acquaintance-old",
    ]
    acquaintance.save(index, {"cases": np.arange(9)}, {"stamp": "new"})
    for path in orphans:
        if path.suffix:
            path.write_bytes(b"x")
            path.chmod(0o600)
        else:
            path.mkdir(mode=0o700)
    assert damaged_checks(kb) == set()
    for path in orphans:
        os.utime(path, (0, 0))
    assert damaged_checks(kb) == {"left-over files"}
    assert damaged_checks(kb, repair=True) == set()
    assert [path for path in orphans if path.exists()] == []
    assert acquaintance.verify(index) is None
    assert set(states(kb)[0].values()) == {State.SOUND}


def test_control_c_is_heard_while_sqlite_works(kb, monkeypatch):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    checks = (diagnosis.Check("endless", lambda patient: patient.rows(endless)),)
    monkeypatch.setattr(diagnosis, "CHECKS", checks)
    # Who starts the tests in the background of a shell has them ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            diagnose(kb, FakeEncoder)
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_check_that_takes_long_says_so(kb, monkeypatch):
    monkeypatch.setattr(diagnosis, "_PATIENCE", 0.0)
    monkeypatch.setattr(diagnosis, "_HEED", 10)
    said = []
    diagnose(kb, FakeEncoder, told=said.append)
    assert "database pages, for 0 s" in said


CHANGED_TEXTS = {
    "case": "UPDATE cases SET body = replace(body, 'build', 'cuild') WHERE id = 7",
    "title": "UPDATE cases SET title = title || '.' WHERE id = 7",
    "resolution": "UPDATE resolutions SET text = 'restart the sermice' WHERE id = 1",
}


@pytest.mark.parametrize("name", CHANGED_TEXTS)
def test_a_text_that_changed_by_itself_is_found_and_taken_only_after_asking(kb, name):
    execute(kb, CHANGED_TEXTS[name])
    assert "texts" in damaged_checks(kb)
    asked = []
    found = damaged_checks(kb, repair=True, confirm=lambda question: bool(asked.append(question)))
    assert "texts" in found
    assert len(asked) == 1
    assert damaged_checks(kb, repair=True, confirm=lambda _question: True) == set()


def test_purged_texts_are_not_taken_for_damaged_ones(kb):
    remove_for_good(kb, "desk:7", reason="asked for")
    assert damaged_checks(kb) == set()


@pytest.mark.parametrize("content", ["zeroblob(16384)", "x'00'", "63 components"])
def test_a_matrix_that_is_not_what_was_learned_is_found_and_never_used(kb, content):
    model = models.active(kb.connection)
    matrix = np.eye(64, dtype="f4")
    name = adapters.name_of(matrix)
    with kb.database.write() as connection:
        adapters.add(connection, name, model.id, matrix, kb.clock())
    assert damaged_checks(kb) == set()
    if content == "63 components":
        execute(kb, "UPDATE adapters SET dimension = 63")
    else:
        execute(kb, f"UPDATE adapters SET matrix = {content}")
    assert damaged_checks(kb) == {"adapters"}
    with pytest.raises(Damaged, match="rollback"):
        space_of(kb, model, name)
