"""The export, through a process of its own, and every way in which the cache can break."""

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kbagent.errors import ModelError
from kbagent.store.encoder import cache, export, session
from kbagent.store.encoder.cache import Broken, ModelManifest
from kbagent.store.encoder.export import PROBES, write_export
from kbagent.store.encoder.session import OnnxEncoder, load_encoder, open_export
from kbagent.store.encoder.weights import ModelSource
from kbagent.store.seal import sealed, unsealed
from tests.store.encoder.conftest import make_model


@pytest.fixture(scope="module")
def exported(tiny_model, tmp_path_factory):
    """A cache with the tiny model in it, and what was said while it was made."""
    root = tmp_path_factory.mktemp("cache")
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KBAGENT_CACHE", str(root))
        load_encoder(str(tiny_model), said.append)
    return root, said


@pytest.fixture
def cached(exported, tmp_path, monkeypatch):
    """A copy of that cache, free to be harmed; the folder of the export."""
    root = shutil.copytree(exported[0], tmp_path / "cache")
    monkeypatch.setenv("KBAGENT_CACHE", str(root))
    return next(root.glob("models/tiny-????????-f?"))


def reexports(monkeypatch, exported):
    """Replace the slow child by a copy of what it made; counts how often it is run."""
    runs: list[str] = []
    original = next(exported[0].glob("models/tiny-????????-f?"))

    def child(source, made, notify):
        runs.append(source.name)
        shutil.copytree(original, made, dirs_exist_ok=True)

    monkeypatch.setattr(export, "_run_child", child)
    return runs


def test_the_export_says_what_it_does(exported):
    assert len(exported[1]) == 4
    assert "once" in exported[1][0]
    assert "is ready (int8, agreement" in exported[1][-1]


def test_the_second_time_nothing_is_exported(cached, tiny_model):
    said: list[str] = []
    assert load_encoder(str(tiny_model), said.append).dimension == 32
    assert said == []


def test_vectors_agree_with_sentence_transformers(cached, tiny_model):
    from sentence_transformers import SentenceTransformer

    texts = ["the mail is lost", "x", "", "printer hangs " * 40, *PROBES]
    expected = SentenceTransformer(str(tiny_model), device="cpu").encode(
        texts, normalize_embeddings=True
    )
    vectors = load_encoder(str(tiny_model)).encode(texts)
    assert (vectors * expected).sum(axis=1).min() > 0.999


@pytest.mark.parametrize("pooling", ["cls", "max"])
def test_pooling_is_the_models_own(tmp_path, pooling):
    from sentence_transformers import SentenceTransformer

    folder = make_model(tmp_path / pooling, pooling)
    (tmp_path / "out").mkdir()
    write_export(ModelSource(pooling, folder), tmp_path / "out", lambda _message: None)
    encoder = open_export(tmp_path / "out")
    assert isinstance(encoder, OnnxEncoder)
    texts = ["the mail is lost", "server error 5"]
    expected = SentenceTransformer(str(folder), device="cpu").encode(
        texts, normalize_embeddings=True
    )
    assert (encoder.encode(texts) * expected).sum(axis=1).min() > 0.999


def test_precision_falls_back_until_the_vectors_agree(tiny_model, tmp_path, monkeypatch):
    tried: list[str] = []

    def agreement(manifest, target, expected):
        tried.append(manifest.precision)
        return 0.99 if manifest.precision == "fp32" else 0.5

    monkeypatch.setattr(export, "_agreement", agreement)
    write_export(ModelSource("tiny", tiny_model), tmp_path, lambda _message: None)
    manifest = cache.read_manifest(tmp_path)
    assert isinstance(manifest, ModelManifest)
    assert tried == ["int8", "int8-reduced", "fp32"]
    assert manifest.precision == "fp32"
    assert ":fp32:" in manifest.fingerprint


def test_an_export_that_never_agrees_is_refused(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "LEAST_AGREEMENT", 1.1)
    with pytest.raises(ModelError, match="disagrees with the original"):
        write_export(ModelSource("tiny", tiny_model), tmp_path, lambda _message: None)
    assert isinstance(cache.read_manifest(tmp_path), Broken)


def test_the_fingerprint_is_of_the_content_not_of_the_place(tiny_model, tmp_path, exported):
    source = ModelSource("tiny", tiny_model)
    copy = ModelSource("tiny", shutil.copytree(tiny_model, tmp_path / "copy"))
    manifest = cache.read_manifest(next(exported[0].glob("models/tiny-????????-f?")))
    assert isinstance(manifest, ModelManifest)
    assert export._digest(source, manifest) == export._digest(copy, manifest)
    assert export._digest(source, manifest) != export._digest(
        source, replace(manifest, max_tokens=16)
    )
    weights = bytearray(copy.weights.read_bytes())
    weights[-1] ^= 1
    copy.weights.write_bytes(weights)
    assert export._digest(source, manifest) != export._digest(copy, manifest)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "manifest.json"])
@pytest.mark.parametrize("harm", ["remove", "cut", "flip"])
def test_a_broken_export_is_set_aside_and_made_again(
    cached, tiny_model, exported, monkeypatch, name, harm
):
    runs = reexports(monkeypatch, exported)
    path = cached / name
    content = bytearray(path.read_bytes())
    if harm == "remove":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[10] ^= 0x80
        path.write_bytes(content)
    said: list[str] = []
    encoder = load_encoder(str(tiny_model), said.append)
    assert encoder.encode(["mail"]).shape == (1, 32)
    assert len(runs) == 1
    assert "is broken" in said[0]
    assert len(list(cached.parent.glob("*.broken-*"))) == 1
    assert cache.verify(cached) is None


def test_an_export_of_another_format_is_made_again(cached, tiny_model, exported, monkeypatch):
    runs = reexports(monkeypatch, exported)
    raw = json.loads((cached / "manifest.json").read_text())
    (cached / "manifest.json").write_text(json.dumps(sealed(unsealed(raw) | {"format": 0})))
    load_encoder(str(tiny_model))
    assert len(runs) == 1


def test_a_manifest_with_a_changed_value_is_made_again(cached, tiny_model, exported, monkeypatch):
    runs = reexports(monkeypatch, exported)
    raw = json.loads((cached / "manifest.json").read_text())
    (cached / "manifest.json").write_text(json.dumps(raw | {"prompt": "quer: "}))
    assert "checksum" in cache.verify(cached)
    load_encoder(str(tiny_model))
    assert len(runs) == 1


def test_two_at_once_export_once(cached, tiny_model, exported, monkeypatch):
    runs = reexports(monkeypatch, exported)
    shutil.rmtree(cached)
    threads = [
        threading.Thread(target=export.export_model, args=(str(tiny_model), cached, print))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 1
    assert cache.verify(cached) is None


def test_what_a_killed_export_left_is_removed(cached, tiny_model, exported, monkeypatch):
    reexports(monkeypatch, exported)
    shutil.rmtree(cached)
    orphan = cached.with_name(f".{cached.name}.123.tmp")
    orphan.mkdir()
    (orphan / "model.onnx").write_bytes(b"half")
    load_encoder(str(tiny_model))
    assert not orphan.exists()


def test_a_failed_export_leaves_nothing_and_says_why(cache_folder, tiny_model, tmp_path):
    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(ModelError, match=r"exporting it to ONNX failed: .+"):
        load_encoder(str(broken))
    left = [path.name for path in (cache_folder / "models").iterdir()]
    assert [name for name in left if not name.endswith(".lock")] == []


def test_two_models_of_one_name_do_not_meet(cache_folder):
    assert cache.folder_of("/a/model") != cache.folder_of("/b/model")
    assert cache.folder_of("../../etc").parent == cache_folder / "models"


def test_versions_with_another_format_keep_their_own_export(
    cached, tiny_model, exported, monkeypatch
):
    name = cache.read_manifest(cached).name
    before = {path.name: path.read_bytes() for path in cached.iterdir()}
    runs = reexports(monkeypatch, exported)
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    newer = cache.folder_of(name)
    assert newer != cached
    export.export_model(name, newer, print)
    assert runs == [name]
    assert newer.is_dir()
    assert {path.name: path.read_bytes() for path in cached.iterdir()} == before


def test_exports_in_older_formats_are_named_and_no_others(cache_folder):
    models = cache_folder / "models"
    mine = cache.folder_of("/a/tiny")
    stem = mine.name.removesuffix(f"-f{cache.FORMAT}")
    old = [stem, f"{stem}-f1", f"{stem}-f1.broken-12", f"{stem}.broken-3"]
    kept = [f"{mine.name}.broken-7", f"{stem}-f{cache.FORMAT + 1}", f"{stem}-fine", f"{stem}x"]
    for each in [*old, *kept, mine.name, cache.folder_of("/b/tiny").name]:
        (models / each).mkdir(parents=True)
    assert [path.name for path in cache.superseded("/a/tiny")] == sorted(old)


def test_the_callers_process_never_loads_torch(cached, tiny_model):
    program = (
        "import sys\n"
        "from kbagent.store.encoder.session import load_encoder\n"
        "from kbagent.store.encoder.passages import passages\n"
        "import kbagent.store.encoder.export\n"
        f"encoder = load_encoder({str(tiny_model)!r})\n"
        "encoder.encode(passages('mail', 'lost ' * 99, encoder))\n"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers', 'onnx',"
        " 'huggingface_hub', 'filelock', 'scipy') if name in sys.modules])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]", run.stderr


def test_equal_texts_have_equal_vectors_whatever_the_neighbours(cached, tiny_model):
    encoder = load_encoder(str(tiny_model))
    texts = ["the mail is lost", "printer", "error code 5 " * 9, "", "printer"]
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    assert np.array_equal(together, alone)
    assert np.array_equal(encoder.encode(texts[::-1])[::-1], together)
    assert encoder.encode([]).shape == (0, 32)


def test_counts_and_spans_are_of_the_whole_text(cached, tiny_model):
    encoder = load_encoder(str(tiny_model))
    text = "Mail lost, " * 50
    spans = encoder.spans(text)
    assert len(spans) == 150
    assert encoder.count_tokens([text, ""]).tolist() == [152, 2]
    assert text[slice(*spans[1])] == "lost"


def test_cores_are_counted():
    assert 1 <= session._cores() <= (os.cpu_count() or 1)


def test_an_export_of_another_version_is_called_that_and_not_broken():
    said = export._why_again(Path("somewhere"), "it is of format 1, not 2")
    assert "another version of kbagent" in said and "broken" not in said
    assert "broken (its checksum)" in export._why_again(Path("somewhere"), "its checksum")


def test_no_skip_layer_norm_is_left_and_the_parts_say_the_same(tiny_model, tmp_path):
    import onnx
    import onnxruntime

    model = export._load(ModelSource("tiny", tiny_model))
    export._trace(ModelSource("tiny", tiny_model), model, tmp_path / "plain.onnx")
    fused = export._fuse(tmp_path / "plain.onnx", model)
    apart = shutil.copy(fused, tmp_path / "apart.onnx")
    export._unskip(apart)

    def kinds(path):
        return [node.op_type for node in onnx.load(str(path)).graph.node]

    assert kinds(fused).count("SkipLayerNormalization") > 0
    assert "SkipLayerNormalization" not in kinds(apart)
    assert kinds(apart).count("LayerNormalization") == kinds(fused).count("SkipLayerNormalization")
    feed = {
        name: np.array([values], dtype=np.int64)
        for name, values in {
            "input_ids": [2, 7, 9, 3],
            "attention_mask": [1, 1, 1, 1],
            "token_type_ids": [0, 0, 0, 0],
        }.items()
    }
    found = []
    for path in (tmp_path / "plain.onnx", apart):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        wanted = {one.name: one.type for one in session.get_inputs()}
        found.append(
            session.run(
                None,
                {
                    name: feed[name].astype(np.int32 if "int32" in kind else np.int64)
                    for name, kind in wanted.items()
                },
            )[0]
        )
    assert np.abs(found[0] - found[1]).max() < 1e-5
