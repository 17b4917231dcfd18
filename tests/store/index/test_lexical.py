"""The lexical index against two oracles, and every way in which its files can break."""

import math
import random
from collections import Counter
from pathlib import Path

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.errors import Damaged
from kbagent.store.index import lexical
from kbagent.store.index.lexical import (
    LexicalIndex,
    empty_lexical,
    open_lexical,
    verify_lexical,
)
from kbagent.store.index.manifests import Unusable
from kbagent.store.index.segments import extend_lexical

WORDS = [f"w{i}" for i in range(60)]


def corpus(count: int, longest: int = 30, seed: int = 0) -> list[list[str]]:
    rng = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(len(WORDS))]
    return [rng.choices(WORDS, weights, k=rng.randint(1, longest)) for _ in range(count)]


def rows(documents: list[list[str]], upto: int | None = None):
    """Document i has the id 2·i + 2."""

    def newer(after: int):
        for place, document in enumerate(documents[:upto]):
            if 2 * place + 2 > after:
                yield 2 * place + 2, document

    return newer


def build(folder: Path, documents: list[list[str]], upto: int | None = None):
    return extend_lexical(folder, rows(documents, upto), tokeniser="1")


def opened(folder: Path) -> LexicalIndex:
    index = open_lexical(folder, "1")
    assert isinstance(index, LexicalIndex), index
    return index


def by_hand(documents: list[list[str]], query: list[str]) -> np.ndarray:
    """BM25 as the textbook writes it."""
    mean = sum(map(len, documents)) / len(documents)
    scores = np.zeros(len(documents))
    for token in set(query):
        holders = sum(token in document for document in documents)
        idf = math.log(1 + (len(documents) - holders + 0.5) / (holders + 0.5))
        for place, document in enumerate(documents):
            often = Counter(document)[token]
            length = 1 - 0.75 + 0.75 * len(document) / mean
            scores[place] += idf * 2.2 * often / (often + 1.2 * length)
    return scores


def best(scores: np.ndarray, k: int) -> list[int]:
    order = np.lexsort((np.arange(len(scores)), -scores))[:k]
    return [2 * int(place) + 2 for place in order if scores[place] > 0]


def test_scores_are_those_of_the_textbook(tmp_path):
    documents = corpus(200)
    build(tmp_path, documents)
    for query in (["w0"], ["w3", "w40", "w7"], ["w59", "w58", "unheard", "w59"]):
        ids, scores = opened(tmp_path).search(query, 200)
        expected = by_hand(documents, query)
        assert len(ids) == np.count_nonzero(expected)
        assert scores == pytest.approx(expected[ids // 2 - 1], rel=1e-5)
        assert (np.diff(scores) <= 0).all()


def test_scores_are_those_of_bm25s(tmp_path):
    documents = corpus(200)
    build(tmp_path, documents)
    other = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    other.index(documents, show_progress=False)
    query = ["w3", "w40", "w7"]
    ids, scores = opened(tmp_path).search(query, 200)
    expected = other.get_scores(query) * 2.2  # bm25s leaves out the constant k1 + 1
    assert scores == pytest.approx(expected[ids // 2 - 1], rel=1e-4)


def test_a_document_scores_alike_before_and_after_it_is_indexed(tmp_path):
    documents = corpus(300, longest=900)
    build(tmp_path, documents, 290)
    query = ["w1", "w20", "w50"]
    before = opened(tmp_path).score(query, documents[290:])
    build(tmp_path, documents)
    ids, scores = opened(tmp_path).search(query, 300)
    after = dict(zip(ids.tolist(), scores.tolist(), strict=True))
    assert before.tolist() == pytest.approx(
        [after.get(2 * place + 2, 0.0) for place in range(290, 300)], rel=1e-5
    )


def test_lengths_are_rounded_as_tantivy_does(tmp_path):
    lengths = [1, 39, 40, 41, 42, 43, 55, 56, 57, 63, 88, 151, 152, 1000, 5000, 70_000]
    documents = [["w0"] + ["x"] * (length - 1) for length in lengths]
    build(tmp_path, documents)
    index = opened(tmp_path)
    ids, scores = index.search(["w0"], 99)
    mean = sum(lengths) / len(lengths)
    weights = index.idf(["w0"])
    expected = [lexical._bm25(weights, documents[i // 2 - 1], mean) for i in ids]
    assert scores.tolist() == pytest.approx(expected, rel=1e-5)


def test_the_maximum_bounds_every_score(tmp_path):
    documents = [*corpus(100), ["w7"] * 500]
    build(tmp_path, documents)
    index = opened(tmp_path)
    for query in (["w7"], ["w1", "w2", "w3"], ["w7", "never"]):
        _, scores = index.search(query, 101)
        assert 0 < scores.max() < index.maximum(query)
    assert index.maximum(["w7"]) == index.maximum(["w7", "w7", "never"])
    assert index.maximum(["never"]) == 0


def test_a_word_that_only_new_documents_have_counts(tmp_path):
    build(tmp_path, corpus(50))
    index = opened(tmp_path)
    new = [["w0", "e1001"], ["w0"]]
    scores = index.score(["e1001"], new)
    assert scores[0] > 0 == scores[1]
    assert scores[0] < index.maximum(["e1001"], new)


def test_an_empty_index_scores_new_documents():
    index = empty_lexical("1")
    assert index.search(["mail"], 5)[0].size == 0
    assert index.maximum(["mail"]) == 0
    scores = index.score(["mail"], [["mail"], ["fax"], []])
    assert scores[0] > 0
    assert scores[1:].tolist() == [0, 0]
    assert index.score(["mail"], []).size == 0


def test_filters_apply_before_ranking(tmp_path, monkeypatch):
    documents = corpus(800)
    build(tmp_path, documents)
    query = ["w0", "w1", "w30"]
    allowed = np.arange(2, 1602, 2)[5::13].astype(np.int64)
    mask = np.zeros(1601, dtype=bool)
    mask[allowed] = True
    scores = by_hand(documents, query)
    scores[~mask[2::2][: len(documents)]] = 0
    for few in (lexical.FEW_ALLOWED, 0):  # tantivy filters, or its hits are filtered
        monkeypatch.setattr(lexical, "FEW_ALLOWED", few)
        for filtered in (allowed, mask, np.append(allowed, [10**9])):
            ids, _ = opened(tmp_path).search(query, 10, filtered)
            assert ids.tolist() == best(scores, 10)


def test_a_rare_match_is_found_however_deep(tmp_path, monkeypatch):
    monkeypatch.setattr(lexical, "FEW_ALLOWED", 0)
    build(tmp_path, [["w0", "w0"]] * 500 + [["w0", *["x"] * 200]])
    ids, _ = opened(tmp_path).search(["w0"], 1, np.array([1002]))
    assert ids.tolist() == [1002]


@pytest.mark.parametrize("nobody", [np.zeros(0, np.int64), np.zeros(9, bool), np.array([10**12])])
def test_a_filter_that_allows_nothing_finds_nothing(tmp_path, nobody):
    build(tmp_path, corpus(20))
    assert opened(tmp_path).search(["w0"], 5, nobody)[0].size == 0


def test_equal_documents_come_by_id(tmp_path):
    build(tmp_path, [["mail"]] * 9)
    assert opened(tmp_path).search(["mail"], 9)[0].tolist() == list(range(2, 20, 2))


@given(st.lists(st.text(max_size=20), max_size=8))
def test_no_query_is_syntax(index, query):
    ids, scores = index.search(query, 5)
    assert len(ids) == len(scores) <= 5


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lexical")
    build(folder, [["mail", "and", "or"], ['text:"x"', "+a", "-b", "*", "[1"], ["\0", "ß"]])
    return opened(folder)


def test_syntax_is_text(index):
    assert index.search(['text:"x"', "OR"], 5)[0].tolist() == [4]
    assert index.search(["*"], 5)[0].tolist() == [4]


def test_a_query_of_ten_thousand_words_keeps_the_rarest(tmp_path):
    documents = [[f"t{i}", "common"] for i in range(300)]
    build(tmp_path, documents)
    index = opened(tmp_path)
    query = ["common", *(f"t{i}" for i in range(300)), *(f"no{i}" for i in range(10_000))]
    assert len(index.idf(query)) == lexical.MOST_QUERY_TOKENS
    assert "common" not in index.idf(query)


def test_a_word_of_a_megabyte_is_harmless(tmp_path):
    build(tmp_path, [["x" * 1_000_000, "mail"], ["mail"]])
    assert opened(tmp_path).search(["mail"], 5)[0].size == 2
    assert opened(tmp_path).search(["x" * 1_000_000], 5)[0].size == 0


def test_extending_adds_only_newer_documents(tmp_path):
    documents = corpus(60)
    build(tmp_path, documents, 50)
    manifest = build(tmp_path, documents)
    assert (manifest.count, manifest.last_id) == (60, 120)
    assert manifest.tokens == sum(map(len, documents))
    ids, scores = opened(tmp_path).search(["w2"], 60)
    assert scores == pytest.approx(by_hand(documents, ["w2"])[ids // 2 - 1], rel=1e-5)


def test_many_extensions_stay_right(tmp_path):
    documents = corpus(120)
    for upto in range(5, 121, 5):
        build(tmp_path, documents, upto)
    ids, scores = opened(tmp_path).search(["w2"], 120)
    assert len(set(ids.tolist())) == len(ids)
    assert scores == pytest.approx(by_hand(documents, ["w2"])[ids // 2 - 1], rel=1e-5)
    assert len(list(tmp_path.glob("state-*"))) == 1


def test_nothing_new_changes_nothing(tmp_path):
    first = build(tmp_path, corpus(20))
    assert build(tmp_path, corpus(20)) == first


def test_a_writer_that_dies_leaves_the_former_state(tmp_path):
    documents = corpus(40)
    build(tmp_path, documents, 30)

    def dies(after: int):
        yield from rows(documents, 35)(after)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extend_lexical(tmp_path, dies, tokeniser="1")
    assert opened(tmp_path).count == 30
    assert verify_lexical(tmp_path) is None
    assert build(tmp_path, documents).count == 40
    assert len(list(tmp_path.glob("state-*"))) == 1


def test_a_reader_is_not_disturbed_by_a_writer(tmp_path):
    documents = corpus(40)
    build(tmp_path, documents, 30)
    reader = opened(tmp_path)
    before = reader.search(["w0", "w1"], 30)
    build(tmp_path, documents)
    after = reader.search(["w0", "w1"], 30)
    assert np.array_equal(before[0], after[0])


def test_another_tokeniser_makes_it_stale_and_anew(tmp_path):
    build(tmp_path, corpus(20))
    stale = open_lexical(tmp_path, "2")
    assert isinstance(stale, Unusable)
    assert "tokeniser 1, not 2" in stale.reason
    assert extend_lexical(tmp_path, rows(corpus(5)), tokeniser="2").count == 5


@pytest.mark.parametrize("harm", ["remove", "cut", "flip"])
@pytest.mark.parametrize("suffix", [".idx", ".term", ".fast", ".fieldnorm", "meta.json"])
def test_every_harm_to_a_file_is_found_and_mended(tmp_path, harm, suffix):
    documents = corpus(200)
    build(tmp_path, documents)
    path = next(path for path in tmp_path.glob("state-*/*") if path.name.endswith(suffix))
    content = bytearray(path.read_bytes())
    path.unlink()
    if harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "flip":
        content[len(content) // 2] ^= 4
        path.write_bytes(content)
    found = open_lexical(tmp_path, "1")
    assert isinstance(found, Unusable)
    assert path.name in found.reason
    assert path.name in (verify_lexical(tmp_path) or "")
    assert build(tmp_path, documents).count == 200
    assert verify_lexical(tmp_path) is None


@pytest.mark.parametrize(
    "manifest",
    ["", "{", "7", "{}", '{"format": 1}', '{"format": 1, "state": "../x", "files": []}', "\0"],
)
def test_a_broken_manifest_is_found_and_mended(tmp_path, manifest):
    build(tmp_path, corpus(9))
    (tmp_path / "current.json").write_text(manifest)
    assert isinstance(open_lexical(tmp_path, "1"), Unusable)
    assert build(tmp_path, corpus(9)).count == 9


def test_documents_that_do_not_ascend_are_refused(tmp_path):
    with pytest.raises(Damaged, match="do not ascend"):
        extend_lexical(tmp_path, lambda _after: [(2, ["a"]), (2, ["b"])], tokeniser="1")
    assert isinstance(open_lexical(tmp_path, "1"), Unusable)
