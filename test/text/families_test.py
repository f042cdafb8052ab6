# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tokenizers of BERT, Llama 2, Gemma, T5 and Qwen2, token by token against the `tokenizers` package over hostile strings."""

import argparse
import base64
import json
import random
import struct
import sys
import unittest

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import tokenizer_test
from tokenizer_test import QWEN2, ROOT, hostile, split

COUNT = 10000


def texts():
    return [path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))] + hostile(300, 1)


def trained(tokenizer, trainer):
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


def bert(lower=True, accents=None):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=30))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower, strip_accents=accents)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trained(tokenizer, trainers.WordPieceTrainer(vocab_size=1500, show_progress=False, special_tokens=special))
    tokenizer.add_special_tokens([AddedToken("[MASK]", lstrip=True), AddedToken("<tail>", rstrip=True)])
    tokenizer.add_tokens([AddedToken("Été", normalized=True)])
    frame = [("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B", special_tokens=frame)
    return tokenizer


def with_bytes(tokenizer, **model):
    """The same with a token for each byte, and what else is set of the model."""
    data = json.loads(tokenizer.to_str())
    vocabulary = data["model"]["vocab"]
    for byte in range(256):
        name = f"<0x{byte:02X}>"
        if isinstance(vocabulary, list):
            vocabulary.append([name, -20.0])
        elif name not in vocabulary:
            vocabulary[name] = len(vocabulary)
    data["model"].update(byte_fallback=True, **model)
    return Tokenizer.from_str(json.dumps(data))


def llama2(kind):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    if kind == "old":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    elif kind == "new":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    training = tokenizer.pre_tokenizer
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=1500, show_progress=False, limit_alphabet=200, special_tokens=["<unk>", "<s>", "</s>"]
    )
    trained(tokenizer, trainer)
    data = json.loads(tokenizer.to_str())
    data["pre_tokenizer"] = json.loads(training.__getstate__()) if training else None
    return Tokenizer.from_str(json.dumps(data))


def charsmap(replacements):
    """A table of replacements as SentencePiece stores it: a trie of darts-clone's form, and texts."""
    texts, trie = b"", {}
    for piece, text in replacements.items():
        node = trie
        for byte in piece.encode():
            node = node.setdefault(byte, {})
        node[0] = len(texts)
        texts += text.encode() + b"\0"
    units, taken, waiting = {0: 0}, {0}, [(0, trie)]
    while waiting:
        index, node = waiting.pop()
        base = next(b for b in range(1, 1 << 20) if not any((b ^ label) in taken for label in node))
        units[index] |= (index ^ base) << 10 | (256 if 0 in node else 0)
        for label, child in node.items():
            taken.add(base ^ label)
            units[base ^ label] = child | 1 << 31 if label == 0 else label
            if label:
                waiting.append((base ^ label, child))
    size = max(units) + 256
    array = struct.pack(f"<{size}I", *(units.get(i, 0xFF) for i in range(size)))
    return struct.pack("<I", len(array)) + array + texts


def t5():
    tokenizer = Tokenizer(models.Unigram())
    table = charsmap({"ﬀ": "ff", "Ⅷ": "VIII", "①": "1", "½": "1/2", "\u00a0": " ", "\u3000": " ", "e\u0301": "é", "\x7f": "", "カ": "か", "👍🏽": "+"})
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(table), normalizers.Strip(left=False), normalizers.Replace(Regex(" {2,}"), "▁")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    trainer = trainers.UnigramTrainer(vocab_size=900, show_progress=False, unk_token="<unk>", special_tokens=["<pad>", "</s>", "<unk>"])
    trained(tokenizer, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))])
    return tokenizer


def qwen2():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = split(QWEN2)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return trained(tokenizer, trainers.BpeTrainer(vocab_size=1200, show_progress=False, initial_alphabet=alphabet, special_tokens=["<|end|>"]))


class Families(tokenizer_test.TokenizerFile):
    def check(self, tokenizer, strings):
        tokenizer.save(str(self.path))
        answers = self.ours(strings)
        self.assertEqual(len(answers), len(strings))
        for text, answer in zip(strings, answers):
            self.assertEqual(answer["tokens"], tokenizer.encode(text, add_special_tokens=False).ids, repr(text))

    def test_bert(self):
        for number, tokenizer in enumerate((bert(), bert(lower=False), bert(lower=False, accents=True))):
            strings = hostile(COUNT, 20 + number)
            marked = ["a [MASK] b", "[MASK]", " \t[MASK]", "x<tail>  y", "<tail>", "Été ete été [CLS]x", "x" * 31, "x" * 30]
            self.check(tokenizer, marked + strings)
        self.path.write_text(tokenizer.to_str())
        found = self.ours(["plain [MASK]"], "--whole")[0]["tokens"]
        self.assertEqual(found, tokenizer.encode("plain [MASK]").ids)
        self.assertEqual(self.ours(["embeddings of words"])[0]["text"], tokenizer.decode(tokenizer.encode("embeddings of words").ids))

    def test_llama2(self):
        for number, kind in enumerate(("old", "new", "gemma")):
            for tokenizer in (llama2(kind), with_bytes(llama2(kind))):
                with self.subTest(kind):
                    self.check(tokenizer, hostile(COUNT // 2, 30 + number) + ["<s>a</s> b<s>", " <s>", "a  b", "   "])
        texts = ["Once upon a time", "日本 𐍈", " x  y "]
        self.path.write_text(with_bytes(llama2("gemma")).to_str())
        self.assertEqual([answer["text"] for answer in self.ours(texts)], texts)

    def test_t5(self):
        tokenizer = t5()
        self.check(tokenizer, hostile(COUNT, 40) + ["ﬀ①", "e\u0301 e\u0301\u0327", "👍🏽👍", "  a  "])
        self.check(with_bytes(tokenizer), hostile(COUNT // 2, 41))
        tokenizer.save(str(self.path))
        self.assertEqual(self.ours(["one two"], "--whole")[0]["tokens"], tokenizer.encode("one two").ids)

    def test_qwen2(self):
        self.check(qwen2(), hostile(COUNT, 50) + ["e\u0301 a\u0327\u0308", "각", "ﬀ\u2126"])

    def test_table_is_damaged(self):
        data = json.loads(t5().to_str())
        step = data["normalizer"]["normalizers"][0]
        whole = base64.b64decode(step["precompiled_charsmap"])
        for damaged in (b"", whole[:3], whole[:40], b"\xff\xff\xff\x7f" + whole[4:], whole[: len(whole) // 2]):
            step["precompiled_charsmap"] = base64.b64encode(damaged).decode()
            self.path.write_text(json.dumps(data))
            done = tokenizer_test.run(self.path, '"ﬀ"\n')
            self.assertIn(done.returncode, (0, 1))
            self.assertEqual(done.returncode == 1, "precompiled_charsmap" in done.stderr, done.stderr)
        pick = random.Random(1)
        for _ in range(30):
            at = pick.randrange(4, len(whole))
            step["precompiled_charsmap"] = base64.b64encode(whole[:at] + bytes([pick.randrange(256)]) + whole[at + 1 :]).decode()
            self.path.write_text(json.dumps(data))
            self.assertEqual(tokenizer_test.run(self.path, '"ﬀ①½ e\\u0301 カ"\n').returncode, 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokenize", required=True)
    options, rest = parser.parse_known_args()
    tokenizer_test.TOKENIZE = options.tokenize
    unittest.main(argv=[sys.argv[0], *rest])
