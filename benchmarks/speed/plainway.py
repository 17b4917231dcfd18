"""The plain way, as a script: sentence-transformers' `encode` and a flat FAISS index.

python -m benchmarks.speed.plainway index TEXTS.json FOLDER    encode and index, print seconds
python -m benchmarks.speed.plainway ask FOLDER QUERY           one cold query
"""

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Do what the command line says."""
    from sentence_transformers import SentenceTransformer

    from kbagent.store.encoder.weights import packaged_folder

    model = SentenceTransformer(str(packaged_folder()), device="cpu")
    import faiss

    if sys.argv[1] == "index":
        texts = json.loads(Path(sys.argv[2]).read_text("utf-8"))
        started = time.perf_counter()
        vectors = model.encode(texts, normalize_embeddings=True)
        encoded = time.perf_counter()
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        faiss.write_index(index, sys.argv[3])
        ended = time.perf_counter()
        print(json.dumps({"encode": encoded - started, "in_all": ended - started}))
        return
    index = faiss.read_index(sys.argv[2])
    print(index.search(model.encode([sys.argv[3]], normalize_embeddings=True), 10)[1].tolist())


if __name__ == "__main__":
    main()
