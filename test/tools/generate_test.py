# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis generate: what it writes is what the model's logits say; and what it refuses."""

import json
import sys
import unittest
from pathlib import Path

from command import CommandTest

sys.path.insert(0, str(Path(__file__).parents[1] / "end_to_end"))
import decoders  # noqa: E402
import numpy as np  # noqa: E402
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers  # noqa: E402

CHAT = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SHAPE = decoders.Shape(layers=1, positions=96, tied=False)


def byte_characters():
    """How byte-level vocabularies write each byte."""
    shows = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in shows]
    characters = {byte: chr(byte) for byte in shows} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [characters[byte] for byte in range(256)]


def tokenizer(end):
    """A token for each byte, some pairs, and marks of turns."""
    tokens = byte_characters()
    merges = ["a b", "ab c", "t h", "th e"]
    tokens += [merge.replace(" ", "") for merge in merges]
    normal, control = 1, 3
    types = [normal] * len(tokens)
    tokens += ["<|im_start|>", "<|im_end|>"]
    types += [control] * 2
    while len(tokens) < SHAPE.vocabulary:
        tokens.append(f"unused{len(tokens)}")
        types.append(normal)
    return {"tokens": tokens, "merges": merges, "types": types, "end": end, "chat": CHAT}


def bytes_of(tokens, ids):
    back = {character: byte for byte, character in enumerate(byte_characters())}
    return b"".join(bytes(back[c] for c in tokens[i]) if tokens[i][0] != "<" else b"" for i in ids)


class Generate(CommandTest):
    def model(self, end=299, name="model", cache="f32(page=16)", **more):
        """Compiles a model; gives its weights."""
        words = tokenizer(end)
        weights = decoders.random_weights(SHAPE, 11)
        decoders.write_gguf(self.folder / f"{name}.gguf", SHAPE, weights, tokenizer={**words, **more})
        self.tamis("compile", f"{name}.gguf", "-o", f"{name}.plan", "-q", "--target=x86-64-v3", f"--cache={cache}")
        self.words = words["tokens"]
        return weights

    def generate(self, *words, plan="model.plan"):
        return json.loads(self.tamis("generate", plan, "--json", *words).stdout)

    @staticmethod
    def greedy(weights, prompt, count):
        ids = list(prompt)
        for _ in range(count):
            ids.append(int(decoders.logits_of(SHAPE, weights, np.array(ids))[-1].argmax()))
        return ids[len(prompt) :]

    def test_greedy(self):
        weights = self.model()
        prompt = [256 + 1, *b" xyz"]  # "abc" is one token
        expected = self.greedy(weights, prompt, 20)
        for words in ([], ["--chunk=2"], ["--threads=1", "--chunk=3"]):
            result = self.generate("--prompt=abc xyz", "--tokens=20", *words)
            self.assertEqual(result["tokens"], expected)
            self.assertEqual((result["prompt_tokens"], result["reason"]), (5, "length"))
        width = 2 * SHAPE.kv_heads * SHAPE.head_width
        self.assertEqual(result["cache_bytes"], 2 * 16 * width * 4)  # 24 tokens take two pages
        self.model(name="contiguous", cache="contiguous")
        for words in ([], ["--threads=1", "--chunk=3"]):
            result = self.generate("--prompt=abc xyz", "--tokens=20", *words, plan="contiguous.plan")
            self.assertEqual(result["tokens"], expected)
        self.assertEqual(result["cache_bytes"], (5 + 19) * width * 4)
        result = self.generate("--prompt=abc xyz", "--tokens=20")
        self.assertEqual(result["text"].encode(), bytes_of(self.words, expected).decode(errors="replace").encode())
        self.assertEqual(result["prompt_ids"], prompt)
        self.generate("--prompt=abc xyz", "--tokens=20", "--logits=logits.npy")
        logits = np.load(self.folder / "logits.npy")
        ids = np.array(prompt + expected[:-1])
        np.testing.assert_allclose(logits, decoders.logits_of(SHAPE, weights, ids)[len(prompt) - 1 :], atol=1e-3)
        shown = self.tamis("generate", "model.plan", "--prompt=abc xyz", "--tokens=20", binary=True).stdout
        self.assertEqual(shown, bytes_of(self.words, expected) + b"\n")

    def test_cache_file(self):
        """A conversation that grows, departs and is taken up by another prompt reads what is new alone, and writes the same.
        "th" is one token."""
        for cache in ("f32(page=16)", "int8(page=16)"):
            self.model(cache=cache)
            (self.folder / "text.kv").unlink(missing_ok=True)
            before = ""
            for prompt, known in (("one two three four five", 0), ("one two three four five six", 22), ("one two!", 7), ("x", 0)):
                fresh = self.generate(f"--prompt={prompt}", "--tokens=5")
                result = self.generate(f"--prompt={prompt}", "--tokens=5", "--cache-file=text.kv")
                self.assertEqual((result["tokens"], result["cached_tokens"]), (fresh["tokens"], known), before)
                before = prompt
            self.assertEqual(result["cache"]["used"], 1)
        (self.folder / "text.kv").write_bytes(b"TAMISKVC" + bytes(80))
        self.assertIn("text.kv: the file has version 0", self.fails("generate", "model.plan", "--prompt=x", "--cache-file=text.kv"))
        self.model(name="contiguous", cache="contiguous")
        self.assertIn("keep their cache in pages", self.fails("generate", "contiguous.plan", "--prompt=x", "--cache-file=a.kv"))

    def test_ends(self):
        weights = self.model()
        prompt = list(b"What?")
        expected = self.greedy(weights, prompt, 12)
        # The same model with its eighth token as the end of texts.
        self.model(end=expected[7], name="ends")
        result = self.generate("--prompt=What?", "--tokens=50", plan="ends.plan")
        self.assertEqual((result["tokens"], result["reason"]), (expected[: expected.index(expected[7])], "end"))
        text = bytes_of(self.words, expected).decode(errors="replace")
        whole = next(i for i in range(2, len(text) - 2) if "\ufffd" not in text[i : i + 2])
        stop = text[whole : whole + 2]
        result = self.generate("--prompt=What?", "--tokens=12", f"--stop={stop}", "--stop=never to be seen")
        self.assertEqual((result["text"], result["reason"]), (text[: text.index(stop)], "stop"))

    def test_context_is_full(self):
        self.model()
        prompt = "x" * (SHAPE.positions - 3)
        self.assertEqual(len(self.generate(f"--prompt={prompt}")["tokens"]), 3)
        said = self.fails("generate", "model.plan", "--prompt=" + "x" * SHAPE.positions)
        self.assertIn("the prompt has 96 tokens but the model's context holds 96", said)

    def test_sampling(self):
        """The same seed writes the same; one candidate is the greedy one."""
        self.model()
        words = ["--prompt=the", "--tokens=30"]
        warm = [*words, "--temperature=2", "--top-k=50", "--top-p=0.95"]
        first = self.generate(*warm, "--seed=7")["tokens"]
        self.assertEqual(self.generate(*warm, "--seed=7")["tokens"], first)
        self.assertNotEqual(self.generate(*warm, "--seed=8")["tokens"], first)
        greedy = self.generate(*words)["tokens"]
        self.assertEqual(self.generate(*words, "--temperature=2", "--top-k=1")["tokens"], greedy)
        self.assertEqual(self.generate(*words, "--temperature=2", "--min-p=1")["tokens"], greedy)

    def test_chat(self):
        weights = self.model()
        start, end = 260, 261
        turns = [start, *b"system\nBe kind.", end, *b"\n", start, *b"user\nHi", end, *b"\n", start, *b"assistant\n"]
        result = self.generate("--chat", "--system=Be kind.", "--prompt=Hi", "--tokens=6")
        self.assertEqual(result["prompt_tokens"], len(turns))
        self.assertEqual(result["tokens"], self.greedy(weights, turns, 6))
        self.assertIn("the user's content holds '<|im_end|>'", self.fails("generate", "model.plan", "--chat", "--prompt=a<|im_end|>"))

    def test_sentence_piece(self):
        """Of a GGUF file that gives scores: the tokens that its merges make."""
        trained = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
        trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        trained.pre_tokenizer = pre_tokenizers.Metaspace()
        bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
        texts = [path.read_text() for path in sorted((Path(__file__).parents[2] / "docs").glob("*.md"))]
        size = 600
        trainer = trainers.BpeTrainer(
            vocab_size=size, show_progress=False, special_tokens=["<unk>", "<s>", "</s>", *bytes_], limit_alphabet=90
        )
        trained.train_from_iterator(texts, trainer)
        data = json.loads(trained.to_str())
        data["pre_tokenizer"], data["model"]["byte_fallback"] = None, True
        data["added_tokens"] = data["added_tokens"][:3]
        judge = Tokenizer.from_str(json.dumps(data))
        words = sorted(data["model"]["vocab"], key=data["model"]["vocab"].get)
        made = {left + right: number for number, (left, right) in enumerate(data["model"]["merges"])}
        scores = [-float(made.get(word, 1e6)) for word in words]
        types = [2, 3, 3] + [6] * 256 + [1] * (len(words) - 259)
        shape = decoders.Shape(layers=1, width=32, heads=1, kv_heads=1, head_width=32, inner=32, vocabulary=len(words), positions=256)
        given = {"tokens": words, "scores": scores, "types": types, "begin": 1}
        decoders.write_gguf(self.folder / "sp.gguf", shape, decoders.random_weights(shape, 1), tokenizer=given)
        self.tamis("compile", "sp.gguf", "-o", "sp.plan", "-q", "--target=x86-64-v3")
        for text in ("Once upon a time", " two  blanks ", "plan </s> of", "日本 😀 x", "tokens tokenizer tokenization", "a"):
            result = self.generate(f"--prompt={text}", "--tokens=1", plan="sp.plan")
            self.assertEqual(result["prompt_ids"], [1, *judge.encode(text, add_special_tokens=False).ids], text)

    def test_chat_template(self):
        """What it cannot execute, and what it refuses itself, is said."""
        self.model(name="odd", chat="{{ messages | groupby('role') }}")
        said = self.fails("generate", "odd.plan", "--chat", "--prompt=Hi")
        self.assertIn("the chat template cannot be executed: the filter 'groupby' is not supported", said)
        self.model(name="strict", chat="{% if messages|length < 2 %}{{ raise_exception('say more') }}{% endif %}")
        self.assertIn("the template refuses: say more", self.fails("generate", "strict.plan", "--chat", "--prompt=Hi"))

    def test_perplexity(self):
        weights = self.model()
        text = bytes(np.random.default_rng(4).integers(97, 123, 75).astype(np.uint8)).decode()
        text = text.replace("ab", "ba").replace("th", "ht")  # no pairs, so that a byte is a token
        (self.folder / "text.txt").write_text(text)
        costs = []
        for start in (0, 24, 48):
            window = np.frombuffer(text[start : start + 24].encode(), np.uint8).astype(int)
            logits = decoders.logits_of(SHAPE, weights, window)
            logits -= logits.max(-1, keepdims=True)
            chances = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            costs += [-chances[t, window[t + 1]] for t in range(12, 23)]
        result = json.loads(self.tamis("perplexity", "model.plan", "text.txt", "--window=24", "--json").stdout)
        self.assertEqual((result["tokens"], result["window"]), (33, 24))
        self.assertAlmostEqual(result["mean_nats"] / np.mean(costs), 1, places=5)
        one_by_one = json.loads(self.tamis("perplexity", "model.plan", "text.txt", "--window=24", "--chunk=1", "--json").stdout)
        self.assertEqual(one_by_one["tokens"], 33)
        self.assertAlmostEqual(one_by_one["mean_nats"] / np.mean(costs), 1, places=5)
        last = json.loads(self.tamis("perplexity", "model.plan", "text.txt", "--window=24", "--judge=3", "--json").stdout)
        self.assertEqual(last["tokens"], 6)
        kept = [cost for window in range(3) for cost in costs[window * 11 + 9 : window * 11 + 11]]
        self.assertAlmostEqual(last["mean_nats"] / np.mean(kept), 1, places=5)
        self.assertIn("one window of 80 is wanted", self.fails("perplexity", "model.plan", "text.txt", "--window=80"))
        self.assertIn("cannot read", self.fails("perplexity", "model.plan", "nowhere.txt"))

    def test_inspected(self):
        self.model()
        reports = json.loads(self.tamis("inspect", "model.plan", "--json").stdout)["reports"]
        self.assertEqual(list(reports), ["generation"])
        self.assertEqual((reports["generation"]["context"], reports["generation"]["end"]), (96, [299]))

    def test_refused(self):
        self.small_plan()
        said = self.fails("generate", "model.plan", "--prompt=x")
        self.assertIn("the plan is no language model with a cache", said)
        self.model(name="other", pre="unheard-of")
        self.assertIn("the plan holds no tokenizer", self.fails("generate", "other.plan", "--prompt=x"))
        self.assertIn("--stop is given no text", self.fails("generate", "other.plan", "--prompt=x", "--stop", "", code=2))
        self.model()
        self.assertIn("the prompt is empty", self.fails("generate", "model.plan", "--prompt", ""))
        self.assertIn("--temperature", self.fails("generate", "model.plan", "--prompt=x", "--temperature=-1", code=2))

    def test_verify(self):
        self.model(cache="contiguous")
        self.tamis("verify", "model.plan", "model.gguf", "--against=reference", "--dim=past=5", "--dim=sequence=3", "--dim=kept=2",
                   "--input=logits_at=2x2xi64=0,2,1,2", "--input=input_ids=random(1,0,300)", "--tolerance=1e-3")  # fmt: skip
        self.model(name="pages")
        self.assertIn("--cache=contiguous", self.fails("verify", "pages.plan", "pages.gguf"))


if __name__ == "__main__":
    unittest.main()
