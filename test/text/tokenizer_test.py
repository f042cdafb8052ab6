# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tokenizers, token by token against the `tokenizers` package: 10,000 hostile strings for each way to split words."""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

TOKENIZE = ""
ROOT = pathlib.Path(__file__).resolve().parents[2]
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace("{1,3}", "")


def byte_level(use_regex=True):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level(False)])


SPLITTERS = {
    "gpt2": byte_level(),
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()]),
    "digits": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=False), byte_level()]),
    "llama3": split(LLAMA3),
    "qwen2": split(QWEN2),
}
POOLS = [
    "abcdefghijklmnopqrstuvwxyz ABC", "  \t\n\r\v\f  ", "0123456789", "'s't're've'm'll'd'S'RE ", ".,;:!?()[]{}<>|/\\\"'`~@#$%^&*-_=+",
    "\u00a0\u1680\u2000\u2003\u2028\u2029\u202f\u205f\u3000\u0085\ufeff\u200b", "àéîõüßñçøåæœÀÉ", "ǅﬀſİı", "αβγδεжзийкл",
    "日本語中文漢字かなカナ", "한국어조선말", "עבריתالعربية", "हिन्दीதமிழ்ไทย", "٠١٢٣四五½²Ⅷ①𝟘", "e\u0301a\u0308\u0327\u200d\ufe0f",
    "😀👨‍👩‍👧🏳️‍🌈🇫🇷👍🏽", "𐍈𝔘𝒳🜁", "\x00\x01\x1b\x7f\x80\x9f", "\ue000\uf8ff\U0010ffff\ufffd", "<|end|><|im_start|>", "€£¥₿∀∃∮√",
]  # fmt: skip


def hostile(count, seed):
    pick = random.Random(seed)
    strings = ["", " ", "\n", "   x", "x   ", "a" * 5000, " " * 3000, "\n" * 500, "ab" * 2000, "1" * 999, "😀" * 300]
    while len(strings) < count:
        pools = pick.sample(POOLS, pick.randrange(1, 4))
        strings.append("".join(pick.choice(pick.choice(pools)) for _ in range(pick.randrange(1, 40))))
    return strings


def run(path, lines, *options):
    return subprocess.run([TOKENIZE, path, *options], input=lines, capture_output=True, text=True, timeout=300)


class TokenizerFile(unittest.TestCase):
    """A test with a place for a tokenizer.json."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tamis-test-")
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "tokenizer.json"

    def ours(self, strings, *options):
        done = run(self.path, "".join(json.dumps(text) + "\n" for text in strings), *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]


class TokenizerTest(TokenizerFile):
    @staticmethod
    def train(splitter, ignore_merges=False):
        tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
        tokenizer.pre_tokenizer = splitter
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=1500, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<|end|>"]
        )
        texts = [path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))] + hostile(400, 1)
        tokenizer.train_from_iterator(texts, trainer)
        tokenizer.add_special_tokens(["<|im_start|>"])
        tokenizer.add_tokens([AddedToken("<|", normalized=False)])
        return tokenizer

    def check(self, tokenizer, strings):
        tokenizer.save(str(self.path))
        answers = self.ours(strings)
        self.assertEqual(len(answers), len(strings))
        for text, answer in zip(strings, answers):
            self.assertEqual(answer["tokens"], tokenizer.encode(text, add_special_tokens=False).ids, repr(text))
            self.assertEqual(answer["text"], text, repr(text))

    def test_hostile(self):
        for number, (name, splitter) in enumerate(SPLITTERS.items()):
            with self.subTest(name):
                self.check(self.train(splitter), hostile(10000, 10 + number))

    def test_whole_words(self):
        """Words that are tokens, though no pairs lead to them."""
        tokenizer = self.train(SPLITTERS["llama3"], ignore_merges=True)
        data = json.loads(tokenizer.to_str())
        data["model"]["merges"] = data["model"]["merges"][:200]
        self.check(Tokenizer.from_str(json.dumps(data)), hostile(2000, 5))

    def test_text(self):
        files = sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "tools").rglob("*.cpp"))
        self.check(self.train(SPLITTERS["smollm"]), [path.read_text() for path in files])

    def test_wrong_bytes(self):
        """What is no UTF-8 counts as U+FFFD, as Python replaces it."""
        self.train(SPLITTERS["gpt2"]).save(str(self.path))
        pick = random.Random(3)
        raw = [bytes(pick.choice([0x41, 0x80, 0xBF, 0xC0, 0xC3, 0xE2, 0x82, 0xED, 0xA0, 0xF0, 0x9F, 0xF4, 0x90, 0xFF]) for _ in range(9))
               for _ in range(2000)]  # fmt: skip
        done = subprocess.run(
            [TOKENIZE, self.path, "--bytes"], input="".join(each.hex() + "\n" for each in raw), capture_output=True, text=True
        )
        answers = [json.loads(line)["text"] for line in done.stdout.splitlines()]
        self.assertEqual(answers, [each.decode("utf8", "replace") for each in raw])

    def test_refused(self):
        data = json.loads(self.train(SPLITTERS["gpt2"]).to_str())
        cases = {
            "has the normalizer 'Nmt'": {"normalizer": {"type": "Nmt"}},
            "its pre_tokenizer is a 'CharDelimiterSplit'": {"pre_tokenizer": {"type": "CharDelimiterSplit"}},
            "adds a blank": {"pre_tokenizer": {**data["pre_tokenizer"], "add_prefix_space": True}},
            "of type 'WordLevel'": {"model": {"type": "WordLevel", "vocab": {}}},
            "its unk_id is 3 but it has 1 tokens": {"model": {"type": "Unigram", "vocab": [["a", -1]], "unk_id": 3}},
            "its unk_token '[UNK]' is not in": {"model": {"type": "WordPiece", "vocab": {"a": 0}}},
            "which is not in its vocabulary": {"model": {**data["model"], "merges": [["zq", "qz"]]}},
            "regular expression '(' is wrong": {
                "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}
            },
            "sets 'single_word'": {"added_tokens": [{"id": 0, "content": "<s>", "single_word": True}]},
            "key 'vocab' not found": {"model": {"type": "BPE"}},
        }
        for message, change in cases.items():
            self.path.write_text(json.dumps({**data, **change}))
            done = subprocess.run([TOKENIZE, self.path], input="", capture_output=True, text=True)
            self.assertEqual(done.returncode, 1, message)
            self.assertIn(message, done.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokenize", required=True)
    options, rest = parser.parse_known_args()
    TOKENIZE = options.tokenize
    unittest.main(argv=[sys.argv[0], *rest])
