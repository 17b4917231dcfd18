"""Exports a sentence-transformers model to ONNX, once, into the user's cache.

torch and sentence-transformers are imported by a child process only (`python -m
kbagent.store.encoder.export`), so that the caller never pays for them and FAISS and torch never
share a process (their OpenMP runtimes have crashed one another on macOS). The model's own
modules are traced (transformer, pooling of whatever mode, dense layers), unit length is added,
and the result is accepted only if its vectors agree with sentence-transformers' on fixed texts.
Precisions are tried in this order until one agrees: int8 weights per channel with dynamically
quantised activations, the same with 7-bit weights (x86 processors without VNNI saturate
otherwise), float32.

Does not fetch anything unless told to, and runs no code from a model's folder.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kbagent.errors import ModelError
from kbagent.store.encoder import cache
from kbagent.store.encoder.cache import Broken, ModelManifest
from kbagent.store.encoder.weights import ModelSource, locate, sha256_of

if TYPE_CHECKING:
    from kbagent.store.encoder.session import Vectors

LEAST_AGREEMENT = 0.97
"""Least cosine with sentence-transformers on `PROBES`; per-channel int8 MiniLM has 0.99."""

PROBES = (
    "Cannot connect to the mail server",
    "Outlook keeps asking for my password after the update to 16.0.17328",
    "0x80070035: the network path was not found",
    "VPN drops every 30 minutes on hotel Wi-Fi; reconnecting helps for a while.",
    "ORA-01555: snapshot too old, rollback segment number 9 with name too small",
    "How do I reset the filter?",
    "Die Rechnung wird zweimal gedruckt, wenn der Kunde eine Mahnung bekommt.",
    "L'application se ferme toute seule quand j'ouvre une pièce jointe",
    "Printing hangs",
    "java.lang.NullPointerException at com.example.billing.InvoiceService.send(InvoiceService:42)",
    "After the migration all folders are empty, but the disk space is still used. I looked into "
    "the profile and the mbox files are there with the right size. Repairing the folder did not "
    "help, and neither did deleting the index files.",
    " ".join(
        f"step {i}: restarted service number {i * 7} and looked at the log" for i in range(90)
    ),
)

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_FUSABLE = {"bert", "distilbert", "roberta", "xlm-roberta", "camembert"}
_LOCK_NOTICE_AFTER = 1.0  # seconds
_FINGERPRINTED = (".json", ".txt", ".model", ".safetensors")


def export_model(
    name: str, folder: Path, notify: Callable[[str], None], *, download: bool = False
) -> None:
    """Put a sound export of `name` into the cache folder `folder`, unless there is one by now.

    Safe against other processes that do the same (one exports, the others wait) and against
    being killed (the next call starts afresh). A broken export is set aside first.

    Raises: ModelError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _only_one(folder, notify):
        problem = _usable(folder)
        if problem is None and folder.exists():
            return
        source = locate(name, download=download)
        if problem is not None:
            notify(_why_again(folder, problem))
            cache.set_aside(folder)
        made = cache.temporary_beside(folder)
        try:
            _run_child(source, made, notify)
            cache.put_in_place(made, folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)


@contextmanager
def _only_one(folder: Path, notify: Callable[[str], None]) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(folder.parent / f".{folder.name}.lock")
    try:
        lock.acquire(timeout=_LOCK_NOTICE_AFTER)
    except Timeout:
        notify("Another process is exporting the encoder: waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _usable(folder: Path) -> str | None:
    """Why the export in `folder` cannot be used; None when it can, or when there is none."""
    manifest = cache.read_manifest(folder)
    if manifest is None:
        return None
    if isinstance(manifest, Broken):
        return manifest.reason
    return cache.verify(folder)


def _why_again(folder: Path, problem: str) -> str:
    if problem.startswith("it is of format"):
        return "The encoder was exported by another version of kbagent: exporting it anew."
    return f"The exported encoder in {folder} is broken ({problem}): exporting it again."


def _run_child(source: ModelSource, made: Path, notify: Callable[[str], None]) -> None:
    """Export in a process of its own, passing its messages on."""
    command = [sys.executable, "-P", "-m", "kbagent.store.encoder.export"]
    arguments = ["--name", source.name, "--source", str(source.folder), "--target", str(made)]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    with (made.parent / f".{made.name}.log").open("w+b") as log:
        with subprocess.Popen(  # noqa: S603  (our own module, no shell)
            command + arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            env=os.environ | offline,
        ) as child:
            error = _relay(child, notify)
        log.seek(0)
        last_words = log.read().decode("utf-8", "replace").strip().splitlines()[-1:]
    Path(log.name).unlink(missing_ok=True)
    if child.returncode != 0:
        reason = error or (last_words[0] if last_words else f"exit code {child.returncode}")
        raise ModelError(
            model=source.name,
            reason=f"exporting it to ONNX failed: {reason}",
            hint="`kbagent model use` takes another model.",
        )


def _relay(child: "subprocess.Popen[str]", notify: Callable[[str], None]) -> str | None:
    error = None
    for line in child.stdout or ():
        kind, _, message = line.rstrip("\n").partition(" ")
        if kind == "notify":
            notify(message)
        elif kind == "error":
            error = message
    return error


# --- in the child ---------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the child process; speaks in lines `notify …` and `error …` on stdout."""
    parser = argparse.ArgumentParser(prog="python -m kbagent.store.encoder.export")
    for option in ("--name", "--source", "--target"):
        parser.add_argument(option, required=True)
    options = parser.parse_args(arguments)
    speech = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print goes to stderr

    def notify(message: str) -> None:
        print("notify", " ".join(message.split()), file=speech, flush=True)

    try:
        write_export(ModelSource(options.name, Path(options.source)), Path(options.target), notify)
    except ModelError as error:
        print("error", error, file=speech, flush=True)
        return 1
    return 0


def write_export(source: ModelSource, target: Path, notify: Callable[[str], None]) -> None:
    """Write model.onnx, tokenizer.json and manifest.json of `source` into `target`."""
    notify(f"Preparing the encoder {source.name} (once, about half a minute): loading …")
    model = _load(source)
    expected = model.encode(list(PROBES), normalize_embeddings=True, show_progress_bar=False)
    _save_tokenizer(source, model, target)
    manifest = _manifest(source, model)
    notify(f"Exporting {source.name} to ONNX …")
    plain = target / "plain.onnx"
    _trace(source, model, plain)
    fused = _fuse(plain, model)
    if fused != plain:
        _unskip(fused)
    for precision in ("int8", "int8-reduced", "fp32"):
        notify(f"Quantising to {precision} and checking the vectors …")
        _quantise(fused, target / cache.ONNX, precision)
        manifest = replace(
            manifest,
            precision=precision,
            fingerprint=f"{Path(source.name).name}:{precision}:{_digest(source, manifest)}",
            files=tuple(cache.describe(target / each) for each in (cache.ONNX, cache.TOKENIZER)),
        )
        agreement = _agreement(manifest, target, expected)
        if agreement >= LEAST_AGREEMENT:
            break
    else:
        raise ModelError(
            model=source.name,
            reason=f"the exported model disagrees with the original (cosine {agreement:.3f})",
            hint="",
        )
    for intermediate in {plain, fused}:
        intermediate.unlink()
    cache.write_manifest(target, replace(manifest, agreement=round(agreement, 5)))
    notify(f"{source.name} is ready ({precision}, agreement with the original {agreement:.3f}).")


def _load(source: ModelSource) -> Any:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(source.folder),
        device="cpu",
        trust_remote_code=False,
        local_files_only=True,
        model_kwargs={"attn_implementation": "eager", "use_safetensors": True},
    )
    return model.eval()


def _save_tokenizer(source: ModelSource, model: Any, target: Path) -> None:
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(model=source.name, reason="its tokeniser has no fast version", hint="")
    backend.save(str(target / cache.TOKENIZER))


def _manifest(source: ModelSource, model: Any) -> ModelManifest:
    prompt = (model.prompts or {}).get(model.default_prompt_name) if model.prompts else None
    limits = [model.max_seq_length, model.tokenizer.model_max_length]
    positions = getattr(model[0].auto_model.config, "max_position_embeddings", None)
    return ModelManifest(
        name=source.name,
        fingerprint="",
        precision="",
        dimension=len(model.encode("x")),
        max_tokens=int(min(each for each in [*limits, positions] if each)),
        lower_case=bool(getattr(model[0], "do_lower_case", False)),
        prompt=prompt or "",
        agreement=0.0,
        source=str(source.folder),
        weights=_weights_digest(source.folder),
        files=(),
    )


def _weights_digest(folder: Path) -> str:
    """SHA-256 of the weights; of several weight files, the SHA-256 of theirs."""
    digests = [sha256_of(path) for path in sorted(folder.glob("*.safetensors"))]
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _digest(source: ModelSource, manifest: ModelManifest) -> str:
    """What the vectors depend on but the precision, in 16 hexadecimal digits."""
    parts = [f"format {cache.FORMAT}", str(manifest.max_tokens)]
    for path in sorted(source.folder.rglob("*")):
        used = path.suffix in _FINGERPRINTED and not {"onnx", "openvino"} & set(path.parts)
        if used and path.is_file():
            parts.append(f"{path.relative_to(source.folder).as_posix()} {sha256_of(path)}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _trace(source: ModelSource, model: Any, path: Path) -> None:
    """Write the float32 graph from token ids to unit vectors."""
    import torch

    class Graph(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        """The model's modules one after the other, then unit length."""

        def __init__(self, modules: Any, inputs: tuple[str, ...]) -> None:
            super().__init__()
            self.steps = torch.nn.ModuleList(modules)
            self.inputs = inputs

        def forward(self, *columns: Any) -> Any:
            features = dict(zip(self.inputs, columns, strict=True))
            for step in self.steps:
                features = step(features)
            return torch.nn.functional.normalize(features["sentence_embedding"], p=2.0, dim=1)

    sample = model.preprocess(["one short text", "and one that is somewhat longer than it"])
    inputs = tuple(name for name in _INPUTS if name in sample)
    axes = {name: {0: "texts", 1: "tokens"} for name in inputs} | {"vectors": {0: "texts"}}
    try:
        with torch.no_grad():
            torch.onnx.export(
                Graph(list(model), inputs).eval(),
                tuple(sample[name] for name in inputs),
                str(path),
                input_names=list(inputs),
                output_names=["vectors"],
                dynamic_axes=axes,
                opset_version=17,
                dynamo=False,  # 2 s instead of 11 s, and the only graph that the fuser knows
            )
    except (RuntimeError, ValueError, TypeError, torch.onnx.errors.OnnxExporterError) as error:
        raise ModelError(
            model=source.name, reason=f"torch cannot export it ({error})", hint=""
        ) from (error)


def _fuse(plain: Path, model: Any) -> Path:
    """The graph with attention and layer norms as one node each, where onnxruntime knows how."""
    config = model[0].auto_model.config
    if config.model_type not in _FUSABLE:
        return plain
    from onnxruntime.transformers.optimizer import optimize_model

    fused = plain.with_name("fused.onnx")
    optimize_model(
        str(plain),
        model_type="bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        opt_level=0,
    ).save_model_to_file(str(fused))
    return fused


def _unskip(graph: Path) -> None:
    """Take the fuser's skip layer norms apart into sums and layer norms again, in place.

    onnxruntime's fused node sums each row without vector instructions: it takes 13 % of a text's
    time. With the three that it stands for a text takes 10 % less (1.32, AVX2).
    """
    import onnx

    model = onnx.load(str(graph))
    apart = []
    for node in model.graph.node:
        if node.op_type == "SkipLayerNormalization":
            apart += _norm_apart(node)
        else:
            apart.append(node)
    del model.graph.node[:]
    model.graph.node.extend(apart)
    onnx.save(model, str(graph))


def _norm_apart(node: Any) -> list[Any]:
    """The sums, then the layer norm, that a skip layer norm stands for."""
    from onnx import helper

    summand, skip, scale, shift, *bias = node.input
    [epsilon] = [each.f for each in node.attribute if each.name == "epsilon"]
    target = node.output[0]
    total = f"{target}_sum"
    made = [helper.make_node("Add", [summand, skip], [total])]
    if bias and bias[0]:
        made.append(helper.make_node("Add", [total, bias[0]], [f"{total}_bias"]))
        total = f"{total}_bias"
    norm = [total, scale, shift]
    made.append(helper.make_node("LayerNormalization", norm, [target], axis=-1, epsilon=epsilon))
    return made


def _quantise(graph: Path, target: Path, precision: str) -> None:
    if precision == "fp32":
        shutil.copyfile(graph, target)
        return
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(graph),
        str(target),
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=precision == "int8-reduced",
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )


def _agreement(manifest: ModelManifest, target: Path, expected: "Vectors") -> float:
    """The least cosine between the export's vectors and the original's."""
    from kbagent.store.encoder.session import OnnxEncoder

    encoder = OnnxEncoder(
        manifest, (target / cache.ONNX).read_bytes(), (target / cache.TOKENIZER).read_bytes()
    )
    return float((encoder.encode(PROBES) * expected).sum(axis=1).min())


if __name__ == "__main__":
    sys.exit(main())
