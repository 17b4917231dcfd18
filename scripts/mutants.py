"""Is what keeps data safe held by a test? Break it on purpose: `python -m scripts.mutants [NAME]`.

Each mutation changes one place in a copy of the tree, never here, and the tests that should notice
are run there; one that nobody notices is printed as SURVIVED and makes the exit code 1. Takes some
minutes; not part of `scripts/check`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("src", "tests", "benchmarks", "scripts", "sample_data", "docs", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Mutation:
    """In `file` (below `src/kbagent`) the text `old` becomes `new`; `tests` should fail then."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTATIONS = (
    Mutation(
        "drop the fsync of indexes",
        "store/index/manifests.py",
        "        os.fsync(handle)\n",
        "        pass\n",
        ("tests/faults/test_flushing.py",),
    ),
    Mutation(
        "drop the fsync of commits",
        "store/database.py",
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = OFF",
        ("tests/store/test_migrations.py",),
    ),
    Mutation(
        "drop the fsync of copies",
        "store/copies.py",
        "            os.fsync(raw.fileno())\n",
        "",
        ("tests/faults/test_flushing.py",),
    ),
    Mutation(
        "drop the spool's fsync",
        "store/spool.py",
        "            os.fsync(handle)\n",
        "",
        ("tests/faults/test_flushing.py",),
    ),
    Mutation(
        "skip the fingerprint check of the dense index",
        "store/index/dense.py",
        "    if manifest.fingerprint != fingerprint:\n",
        "    if False:\n",
        ("tests/store/index",),
    ),
    Mutation(
        "skip the fingerprint check of the encoder",
        "usecases/maintain/checks/vectors.py",
        "    if encoder.fingerprint != model.fingerprint:\n",
        "    if False:\n",
        ("tests/usecases/maintain",),
    ),
    Mutation(
        "skip the adapter check of the dense index",
        "store/index/dense.py",
        "    if manifest.adapter != adapter:\n",
        "    if False:\n",
        ("tests/store/index",),
    ),
    Mutation(
        "swallow the busy error",
        "store/database.py",
        '                raise Locked(path=self.path, seconds=f"{timeout:g}")\n',
        "                return\n",
        ("tests/store/test_database.py", "tests/faults/test_together.py"),
    ),
    Mutation(
        "show SQLite's own words for a lock",
        "store/database.py",
        "    if _is_busy(error):\n        return Locked",
        "    if False:\n        return Locked",
        (
            "tests/store/test_database.py",
            "tests/faults/test_together.py",
            "tests/cli/test_errors.py",
        ),
    ),
    Mutation(
        "wait without a word",
        "store/database.py",
        '                self.notify("waiting for another kbagent process to finish writing …")\n',
        "",
        ("tests/store/test_database.py", "tests/faults/test_together.py"),
    ),
    Mutation(
        "lose the lookup when somebody writes",
        "usecases/retrieve/lookup_log.py",
        "        spool.put(\n",
        "        (lambda *_, **__: None)(\n",
        ("tests/store/test_spool.py", "tests/faults/test_together.py"),
    ),
    Mutation(
        "remove a waiting lookup before the commit that takes it in",
        "store/spool.py",
        "            taken += _take_in(connection, path)\n",
        "            taken += _take_in(connection, path)\n            path.unlink(True)\n",
        ("tests/store/test_spool.py",),
    ),
    Mutation(
        "skip the checksum of the dense index",
        "store/index/shards.py",
        "        problem = mismatch(path, expected, whole=whole)\n",
        "        problem = None\n",
        ("tests/store/index", "tests/faults/test_disk.py"),
    ),
    Mutation(
        "skip the checksum of the lexical index",
        "store/index/lexical.py",
        "        problem = mismatch(state / name, expected, whole=whole)\n",
        "        problem = None\n",
        ("tests/store/index", "tests/faults/test_disk.py"),
    ),
    Mutation(
        "skip the seal of manifests",
        "store/seal.py",
        "    return rest if SEAL not in content or content[SEAL] == _checksum(rest) else None\n",
        "    return rest\n",
        ("tests/store/index",),
    ),
    Mutation(
        "skip the checksum of what is usual",
        "store/index/acquaintance.py",
        "    if _problem(index_folder, facts, _at_opening) is not None:\n",
        "    if False:\n",
        ("tests/store/index",),
    ),
    Mutation(
        "skip the checksum of the exported encoder",
        "store/encoder/cache.py",
        "    if zlib.crc32(content) != expected.crc32:\n",
        "    if False:\n",
        ("tests/store/encoder",),
    ),
    Mutation(
        "skip the hash of the packaged weights",
        "store/encoder/weights.py",
        "    if found != source.sha256:\n",
        "    if False:\n",
        ("tests/store/encoder",),
    ),
    Mutation(
        "ignore that an open generation is stale",
        "usecases/maintain/indexing.py",
        "        stamp = (key, found.st_ino, found.st_mtime_ns, found.st_size)\n",
        "        stamp = key\n",
        ("tests/usecases/maintain/test_copies.py",),
    ),
    Mutation(
        "ignore rows newer than the generation",
        "usecases/retrieve/matching.py",
        "    for ids, matrix in passages.stream(connection, space.model.id, after=covered):\n",
        "    for ids, matrix in ():\n",
        ("tests/usecases/retrieve",),
    ),
    Mutation(
        "let the index of a replaced knowledge base serve",
        "usecases/maintain/copies.py",
        "            manifest.unlink(missing_ok=True)\n",
        "            pass\n",
        ("tests/usecases/maintain/test_copies.py",),
    ),
    Mutation(
        "write exports in place",
        "store/copies.py",
        '    unfinished = target.with_name(f".{target.name}.{os.getpid()}.tmp")\n',
        "    unfinished = target\n",
        ("tests/usecases/maintain/test_copies.py", "tests/faults/test_disk.py"),
    ),
    Mutation(
        "believe an export without its checksum",
        "store/transfer.py",
        '            if entry.get("sha256") != digest.hexdigest() or entry["end"]',
        '            if entry["end"]',
        ("tests/usecases/maintain/test_copies.py",),
    ),
    Mutation(
        "migrate without a copy",
        "store/migrations.py",
        "                _keep_copy(database, version)\n",
        "                pass\n",
        ("tests/store/test_migrations.py",),
    ),
    Mutation(
        "open a newer schema",
        "store/migrations.py",
        "    if version > SCHEMA_VERSION:\n",
        "    if False:\n",
        ("tests/store/test_migrations.py",),
    ),
    Mutation(
        "mend without asking",
        "usecases/maintain/diagnosis.py",
        "(check.asks is not None and not confirm(check.asks))",
        "(check.asks is not None and confirm(check.asks) is None)",
        ("tests/usecases/maintain/test_diagnosis.py",),
    ),
    Mutation(
        "take the log for whole whatever its sums are",
        "store/waltail.py",
        "(expected == sums).all(axis=1)",
        "(expected == expected).all(axis=1)",
        ("tests/faults/test_disk.py",),
    ),
    Mutation(
        "open the database to look at its log",
        "store/waltail.py",
        "        before = log.stat()\n",
        '        database.open("rb").close()\n        before = log.stat()\n',
        ("tests/faults/test_disk.py",),
    ),
    Mutation(
        "read a log that others are writing",
        "store/waltail.py",
        "0 <= time.time() - before.st_mtime < QUIET",
        "False",
        ("tests/faults/test_disk.py",),
    ),
    Mutation(
        "read an array before its checksum is compared",
        "store/index/keepsakes.py",
        "_array(file.read(one))",
        "np.lib.format.read_array(file.open(one), allow_pickle=False)",
        ("tests/store/index/test_keepsakes.py",),
    ),
    Mutation(
        "test a choice on both sides",
        "core/patterns/families.py",
        "np.where(self.where.z[self.j] > 0, p / 2, 1 - p / 2)",
        "p",
        ("tests/core/patterns/test_discovery.py",),
    ),
    Mutation(
        "put what comes now before what comes now",
        "usecases/mine/routes.py",
        " and not one.is_of_moment",
        "",
        ("tests/usecases/mine/test_signs.py",),
    ),
    Mutation(
        "let a rejected pattern stand behind a ticket",
        "usecases/mine/signs.py",
        'not in ("rejected", "muted")',
        'not in ("muted",)',
        ("tests/usecases/mine/test_signs.py",),
    ),
)


def main(names: list[str]) -> int:
    """Try each mutation (or those whose name holds one of `names`); 1 when one survived."""
    chosen = [one for one in MUTATIONS if not names or any(name in one.name for name in names)]
    survived = 0
    with tempfile.TemporaryDirectory(prefix="kbagent-mutants-") as scratch:
        for one in chosen:
            found = _tried(one, Path(scratch) / "tree")
            survived += not found
            print(f"{'noticed' if found else 'SURVIVED'}  {one.name}  {found}", flush=True)
    return int(survived > 0)


def _tried(one: Mutation, tree: Path) -> str:
    """The first test that fails; empty when none does."""
    shutil.rmtree(tree, ignore_errors=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)
    path = tree / "src" / "kbagent" / one.file
    text = path.read_text("utf-8")
    if text.count(one.old) < 1:
        raise SystemExit(f"{one.name}: the place in {one.file} is not there any more")
    path.write_text(text.replace(one.old, one.new, 1), "utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tree / 'src'}:{tree}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-n",
            "0",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            *one.tests,
        ],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    if done.returncode != 1:
        raise SystemExit(f"{one.name}: the tests could not be run\n{done.stdout}{done.stderr}")
    lines = done.stdout.splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return failed[0][:120]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
