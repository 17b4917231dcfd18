"""A tiny sentence-transformers model, made here, and a cache of its own for every test."""

import json
from pathlib import Path

import pytest

WORDS = [
    *["the", "mail", "is", "lost", "after", "update", "printer", "hangs", "password", "server"],
    *["cannot", "connect", "to", "error", "code"],
    *"abcdefghijklmnopqrstuvwxyz0123456789.,:()",
]
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.fixture
def cache_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("KBAGENT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


def make_model(folder: Path, pooling: str = "mean", seed: int = 0) -> Path:
    """Write a BERT of two layers with random weights, in sentence-transformers' layout."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    letters = [f"##{each}" for each in "abcdefghijklmnopqrstuvwxyz0123456789"]
    words = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *letters]))
    config = BertConfig(
        vocab_size=len(words), intermediate_size=64, max_position_embeddings=40, **TINY
    )
    BertModel(config).save_pretrained(folder, safe_serialization=True)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    _write_tokenizer(folder, words)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    _write(
        folder / "modules.json",
        [
            {
                "idx": place,
                "name": str(place),
                "path": path,
                "type": f"sentence_transformers.models.{kind}",
            }
            for place, (path, kind) in enumerate(modules)
        ],
    )
    _write(folder / "sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False})
    modes = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}
    _write(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": 32}
        | {f"pooling_mode_{name}": mode == pooling for mode, name in modes.items()},
    )
    (folder / "2_Normalize").mkdir()
    return folder


def _write_tokenizer(folder: Path, words: list[str]) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {word: place for place, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"])
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    _write(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 40},
    )


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps(content))
