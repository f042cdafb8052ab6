# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares what engines wrote and the logits that they chose from; `python -m benchmarks.llm_logits TAMIS SAME F32` with
the folders of `llm.py`, prints JSON. Wants numpy."""

import json
import pathlib
import sys

import numpy as np


def read_tamis(folder, stem):
    said = json.loads((folder / f"{stem}.json").read_text())
    return said["prompt_ids"], said["tokens"], np.load(folder / f"{stem}.npy")


def read_llama(folder, stem, words):
    prompt, made = ([int(word) for word in line.split()] for line in (folder / f"{stem}.ids").read_text().splitlines())
    return prompt, made, np.fromfile(folder / f"{stem}.f32", "f4").reshape(-1, words)


def divergence(reference, other):
    """KL(reference || other) of each row, nats."""

    def log_chances(logits):
        logits = logits.astype("f8")
        logits = logits - logits.max(-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))

    p, q = log_chances(reference), log_chances(other)
    return (np.exp(p) * (p - q)).sum(-1)


def margin(row):
    best = np.partition(row, -2)[-2:]
    return float(best[1] - best[0])


def compare(name, ours, theirs, stems):
    texts, all_rows = [], []
    for number, stem in enumerate(stems):
        (our_prompt, our_tokens, our_logits), (prompt, tokens, logits) = ours(stem), theirs(stem)
        at = next((i for i, (a, b) in enumerate(zip(our_tokens, tokens)) if a != b), min(len(our_tokens), len(tokens)))
        rows = min(at + 1, len(our_logits), len(logits))
        all_rows.append(divergence(logits[:rows], our_logits[:rows]))
        text = {"number": number, "same": our_tokens == tokens, "same_prompt": our_prompt == prompt, "at": at}
        if not text["same"]:
            text |= {"margin": margin(logits[rows - 1]), "own_margin": margin(our_logits[rows - 1])}
        texts.append(text)
    rows = np.concatenate(all_rows)
    return {"name": name, "texts": texts, "divergence": float(rows.mean()), "largest": float(rows.max()), "tokens": rows.size}


def main():
    tamis, same, exact = map(pathlib.Path, sys.argv[1:4])
    stems = sorted(path.stem for path in tamis.glob("*.txt"))
    words = read_tamis(tamis, stems[0])[2].shape[1]
    readers = {
        "tamis": lambda stem: read_tamis(tamis, stem),
        "llama.cpp": lambda stem: read_llama(same, stem, words),
        "llama.cpp f32": lambda stem: read_llama(exact, stem, words),
    }
    pairs = [("tamis", "llama.cpp"), ("tamis", "llama.cpp f32"), ("llama.cpp", "llama.cpp f32")]
    found = [compare(f"{a} beside {b}", readers[a], readers[b], stems) for a, b in pairs]
    print(json.dumps({"pairs": found}))


if __name__ == "__main__":
    main()
