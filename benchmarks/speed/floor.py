"""The least that a cold query can cost with these engines; prints the ids of the ten nearest.

python -m benchmarks.speed.floor MODEL_FOLDER SHARD.faiss… -- QUERY
"""

import sys

import faiss
import numpy as np
import onnxruntime
from tokenizers import Tokenizer


def main() -> None:
    """Open model and index, encode one query, search."""
    model, *shards = sys.argv[1:-2]
    tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        f"{model}/model.onnx", options, providers=["CPUExecutionProvider"]
    )
    coded = tokenizer.encode(sys.argv[-1].lower())
    columns = {
        "input_ids": coded.ids,
        "attention_mask": coded.attention_mask,
        "token_type_ids": coded.type_ids,
    }
    feed = {
        each.name: np.array([columns[each.name]], np.int32 if "int32" in each.type else np.int64)
        for each in session.get_inputs()
    }
    vector = session.run(None, feed)[0]
    opened = [faiss.read_index(path, faiss.IO_FLAG_MMAP_IFC) for path in shards]
    print([index.search(vector, 10)[1].tolist() for index in opened])


if __name__ == "__main__":
    main()
