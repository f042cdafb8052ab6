# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis serve: right answers to many clients at once, some of them hostile; and what it refuses."""

import base64
import concurrent.futures
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from command import TAMIS, CommandTest
from generate_test import SHAPE, tokenizer
from serving import Server

sys.path.insert(0, str(Path(__file__).parents[1] / "end_to_end"))
import decoders  # noqa: E402
import encoders  # noqa: E402
import numpy as np  # noqa: E402

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"


class Serve(CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory(prefix="tamis-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.plan = Path(folder.name) / "small.plan"
        weights = decoders.random_weights(SHAPE, 11)
        decoders.write_gguf(Path(folder.name) / "small.gguf", SHAPE, weights, tokenizer=tokenizer(299))
        words = ["compile", Path(folder.name) / "small.gguf", "-o", cls.plan, "-q", "--target=x86-64-v3"]
        subprocess.run([TAMIS, *words], check=True, timeout=300)

    def generated(self, prompt, tokens, *words):
        said = self.tamis("generate", self.plan, f"--prompt={prompt}", f"--tokens={tokens}", "--threads=1", "--json", *words)
        return json.loads(said.stdout)

    def test_answers(self):
        with Server(self.plan, "--name=small") as server:
            self.assertEqual(server.name, "small")
            self.assertEqual(server.ask("/health"), (200, {"status": "ok"}))
            self.assertEqual([m["id"] for m in server.ask("/v1/models")[1]["data"]], ["small"])
            wanted = self.generated("abc xyz", 20)
            body = {"model": "small", "prompt": "abc xyz", "max_tokens": 20, "temperature": 0}
            status, answer = server.ask(TEXT, body)
            self.assertEqual((status, answer["choices"][0]["text"]), (200, wanted["text"]))
            self.assertEqual(answer["choices"][0]["finish_reason"], "length")
            self.assertEqual(answer["usage"], {"prompt_tokens": 5, "completion_tokens": 20, "total_tokens": 25})
            self.assertEqual(server.ask(TEXT, {**body, "prompt": wanted["prompt_ids"]})[1]["choices"], answer["choices"])
            events = server.stream(TEXT, {**body, "stream_options": {"include_usage": True}})
            self.assertEqual("".join(e["choices"][0]["text"] for e in events[:-1]), wanted["text"])
            self.assertEqual(events[-2]["choices"][0]["finish_reason"], "length")
            self.assertEqual(events[-1]["usage"], answer["usage"])

            wanted = self.generated("Hi", 9, "--chat", "--system=Be kind.")
            turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
            chat = {"messages": turns, "max_tokens": 9, "temperature": 0}
            message = server.ask(CHAT, chat)[1]["choices"][0]["message"]
            self.assertEqual(message, {"role": "assistant", "content": wanted["text"]})
            events = server.stream(CHAT, chat)
            self.assertEqual(events[0]["choices"][0]["delta"]["role"], "assistant")
            self.assertEqual("".join(e["choices"][0]["delta"].get("content", "") for e in events), wanted["text"])

            wanted = self.generated("the", 30, "--temperature=1.5", "--top-k=50", "--top-p=0.95", "--seed=7")
            warm = {"prompt": "the", "max_tokens": 30, "temperature": 1.5, "top_k": 50, "top_p": 0.95, "seed": 7}
            self.assertEqual(server.ask(TEXT, warm)[1]["choices"][0]["text"], wanted["text"])

            text = self.generated("What?", 12)["text"]
            at = next(i for i in range(2, len(text) - 2) if "\ufffd" not in text[i : i + 2])
            stop = {"prompt": "What?", "max_tokens": 12, "temperature": 0, "stop": [text[at : at + 2], "never"]}
            choice = server.ask(TEXT, stop)[1]["choices"][0]
            self.assertEqual((choice["text"], choice["finish_reason"]), (text[: text.index(stop["stop"][0])], "stop"))
            self.assertEqual(server.metric("tamis_texts_running"), 0)

    def test_malformed(self):
        text, chat = {"prompt": "x", "max_tokens": 2}, {"messages": [{"role": "user", "content": "x"}]}
        cases = [
            (TEXT, b"{", 400, "is no JSON"), (TEXT, b"", 400, "is no JSON"), (TEXT, b"[1]", 400, "an object is wanted"),
            (TEXT, b"[" * 100000, 400, "more than 64 deep"), (TEXT, b"\xff\xfe", 400, "is no JSON"),
            (TEXT, {}, 400, "'prompt' is missing"), (TEXT, {"prompt": ["a", "b"]}, 400, "'prompt'"),
            (TEXT, {"prompt": [1, -5]}, 400, "'prompt' holds -5"), (TEXT, {"prompt": [1, 300]}, 400, "token 300"),
            (TEXT, {"prompt": ""}, 400, "empty"), (TEXT, {"prompt": "x" * 96}, 400, "does not fit a context of 96"),
            (TEXT, {**text, "max_tokens": 0}, 400, "'max_tokens' is 0"), (TEXT, {**text, "max_tokens": 1.5}, 400, "'max_tokens'"),
            (TEXT, {**text, "max_tokens": 1 << 63}, 400, "'max_tokens'"), (TEXT, {**text, "max_tokens": 5000}, 400, "at most 4096"),
            (TEXT, {**text, "temperature": "hot"}, 400, "'temperature' is \"hot\""), (TEXT, {**text, "temperature": -1}, 400, "'temperature'"),
            (TEXT, {**text, "top_p": 2}, 400, "'top_p'"), (TEXT, {**text, "stop": [""]}, 400, "'stop'"), (TEXT, {**text, "stop": 5}, 400, "'stop'"),
            (TEXT, {**text, "n": 2}, 400, "'n' is not supported"), (TEXT, {**text, "stream": "yes"}, 400, "'stream'"),
            (TEXT, {**text, "echo": True}, 400, "'echo'"), (TEXT, {**text, "model": "other"}, 404, "there is no model 'other'"),
            (CHAT, {"messages": []}, 400, "'messages'"), (CHAT, {"messages": [{"role": "user"}]}, 400, "has no 'content'"),
            (CHAT, {"messages": [{"content": "x"}]}, 400, "no object with a 'role'"), (CHAT, {**chat, "tools": [{}]}, 400, "'tools'"),
            (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "no text"),
            ("/v1/embeddings", {"input": "x"}, 404, "gives no embeddings"), ("/v1/nothing", {}, 404, "no path"),
            (TEXT, None, 405, "not for the method GET"), (TEXT, b"x" * 300_000, 413, "larger"),
        ]  # fmt: skip
        with Server(self.plan, "--max-body-mb=0.2") as server:
            for path, body, status, message in cases:
                with self.subTest(path=path, body=str(body)[:60]):
                    found, answer = server.ask(path, body)
                    self.assertEqual(found, status, answer)
                    self.assertIn(message, answer["error"]["message"])
                    self.assertLessEqual({"message", "type", "param", "code"}, set(answer["error"]))
            for raw in (b"\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a" * 100_000, b"POST " + TEXT.encode() + b" HTTP/1.1\r\nContent-Length: -5\r\n\r\n"):
                with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
                    connection.sendall(raw)
                    connection.shutdown(socket.SHUT_WR)
                    try:
                        while connection.recv(4096):
                            pass
                    except ConnectionResetError:
                        pass
            self.assertEqual(server.ask(TEXT, {**text, "temperature": 0})[0], 200)

    def test_many_clients(self):
        """32 clients: a third hang up, some send nonsense, one sends a byte at a time; all others get their own answer."""
        prompts = [f"the {'abc '[: n % 4 + 1] * (n % 7 + 1)}{n}" for n in range(16)]
        wanted = {prompt: self.generated(prompt, 24)["text"] for prompt in prompts}
        with Server(self.plan, "--queue=64", "--request-seconds=2", "--chunk=8") as server:

            def slow():
                start = time.monotonic()
                with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
                    connection.settimeout(0.3)
                    for byte in b"POST /v1/completions HTTP/1.1\r\nContent-Length: 100\r\n\r\n" * 3:
                        try:
                            connection.sendall(bytes([byte]))
                            if answer := connection.recv(4096):
                                break
                        except TimeoutError:
                            continue
                self.assertIn(b" 408 ", answer)
                return time.monotonic() - start

            def client(number):
                for turn in range(4):
                    prompt = prompts[(number * 5 + turn) % len(prompts)]
                    body = {"prompt": prompt, "max_tokens": 24, "temperature": 0}
                    if number % 3 == 0:  # hangs up, before or after the first bytes of the answer
                        connection = server.connect()
                        connection.request("POST", TEXT, json.dumps({**body, "stream": True, "max_tokens": 60}))
                        if turn % 2:
                            connection.getresponse().read(40)
                        connection.close()
                    elif number % 11 == 0:
                        self.assertEqual(server.ask(TEXT, b'{"prompt":')[0], 400)
                    elif number % 2:
                        self.assertEqual("".join(e["choices"][0]["text"] for e in server.stream(TEXT, body)), wanted[prompt])
                    else:
                        status, answer = server.ask(TEXT, body)
                        self.assertEqual((status, answer["choices"][0]["text"]), (200, wanted[prompt]))

            with concurrent.futures.ThreadPoolExecutor(33) as pool:
                dawdler = pool.submit(slow)
                for done in [pool.submit(client, number) for number in range(32)]:
                    done.result()
                self.assertLess(dawdler.result(), 10)
            for _ in range(100):
                if server.metric("tamis_texts_running") + server.metric("tamis_texts_waiting") == 0:
                    break
                time.sleep(0.1)
            self.assertEqual(server.metric("tamis_texts_running"), 0)
            self.assertEqual(server.metric("tamis_cache_tokens"), 0)
            self.assertGreater(server.metric("tamis_cancelled_total"), 0)

    def test_queue_is_full(self):
        with Server(self.plan, "--batch=1", "--queue=1") as server:
            body = {"prompt": "a", "max_tokens": 90, "temperature": 0}
            with concurrent.futures.ThreadPoolExecutor(24) as pool:
                answers = list(pool.map(lambda _: server.ask(TEXT, body), range(24)))
            self.assertEqual({status for status, _ in answers}, {200, 429})
            full = next(answer for status, answer in answers if status == 429)
            self.assertEqual(full["error"]["type"], "rate_limit_error")
            self.assertEqual(len({answer["choices"][0]["text"] for status, answer in answers if status == 200}), 1)

    def test_stops(self):
        """Asked to stop, it ends what it has begun, and takes nothing new."""
        wanted = self.generated("abc", 90)["text"]
        with Server(self.plan) as server:
            connection = server.connect()
            body = {"prompt": "abc", "max_tokens": 90, "temperature": 0, "stream": True}
            connection.request("POST", TEXT, json.dumps(body))
            response = connection.getresponse()
            first = response.read(10)
            server.process.send_signal(signal.SIGTERM)
            events = (first + response.read()).decode().split("\n\n")
            said = "".join(json.loads(event[6:])["choices"][0]["text"] for event in events if event.startswith("data: {"))
            self.assertEqual(said, wanted)
            connection.close()
            self.assertEqual(server.process.wait(20), 0)
            with self.assertRaises(OSError):
                server.ask("/health")

    def test_embeddings(self):
        """Of texts of many lengths, asked for at once: what the plan gives each alone, without its padding."""
        shape = encoders.Shape(hidden=32, heads=2, feed_forward=48)
        encoders.save_hugging_face(shape, encoders.random_weights(shape, 3), self.folder / "bert")
        self.tamis("compile", "bert", "-o", "bert.plan", "-q", "--target=x86-64-v3")
        random = np.random.default_rng(5)
        texts = [random.integers(0, shape.vocabulary, n).tolist() for n in (1, 2, 5, 9, 17, 33, 64, 12)]

        def expected(ids):
            np.save(self.folder / "ids.npy", np.array([ids]))
            ones = f"1x{len(ids)}xi64="
            words = ["--input=input_ids=@ids.npy", f"--input=attention_mask={ones}1", f"--input=token_type_ids={ones}0"]
            self.tamis("run", "bert.plan", *words, "--output=out.npz")
            mean = np.load(self.folder / "out.npz")["last_hidden_state"][0].mean(0)
            return mean / np.linalg.norm(mean)

        wanted = [expected(ids) for ids in texts]
        path = "/v1/embeddings"
        with Server(self.folder / "bert.plan", "--batch=4", "--wait-ms=20") as server:
            status, answer = server.ask(path, {"input": texts, "model": "bert"})
            self.assertEqual((status, [item["index"] for item in answer["data"]]), (200, [*range(8)]))
            for item, vector in zip(answer["data"], wanted):
                np.testing.assert_allclose(item["embedding"], vector, atol=1e-5)
            self.assertEqual(answer["usage"]["prompt_tokens"], sum(map(len, texts)))

            def one(number):
                status, answer = server.ask(path, {"input": texts[number % 8], "encoding_format": "base64"})
                vector = np.frombuffer(base64.b64decode(answer["data"][0]["embedding"]), "<f4")
                np.testing.assert_allclose(vector, wanted[number % 8], atol=1e-5)

            with concurrent.futures.ThreadPoolExecutor(32) as pool:
                list(pool.map(one, range(64)))
            runs, together = server.metric("tamis_embedding_batch_count"), server.metric("tamis_embedding_batch_sum")
            self.assertEqual(together, 72)
            self.assertLess(runs, 60, "texts share runs")
            for body, message in (
                ({"input": [texts[0], [61]]}, "out of range"), ({"input": [1] * 65}, "65 tokens but 1 to 64"), ({"input": []}, "'input'"),
                ({"input": "text"}, "holds no tokenizer"), ({"input": [1], "encoding_format": "hex"}, "'encoding_format'"),
                ({"input": [1], "dimensions": 5}, "'dimensions'"), ({"input": [[1], "x", 5]}, "'input'"),
            ):  # fmt: skip
                status, answer = server.ask(path, body)
                self.assertEqual(status, 400, body)
                self.assertIn(message, answer["error"]["message"])
            self.assertEqual(server.ask(TEXT, {"prompt": [1]})[0], 404)

        # The same folder with BERT's vocabulary: texts, with the marks around them.
        letters = [chr(c) for c in range(97, 123)]
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "##s", *letters, *(f"##{c}" for c in letters)]
        (self.folder / "bert" / "vocab.txt").write_text("\n".join(words[: shape.vocabulary]) + "\n")
        self.tamis("compile", "bert", "-o", "text.plan", "-q", "--target=x86-64-v3")
        with Server(self.folder / "text.plan") as server:
            answer = server.ask(path, {"input": ["Hellos, a"]})[1]
            ids = [2, words.index("hello"), words.index("##s"), 1, words.index("a"), 3]
            np.testing.assert_allclose(answer["data"][0]["embedding"], expected(ids), atol=1e-5)
            self.assertEqual(answer["usage"]["total_tokens"], len(ids))

    def test_refused(self):
        self.assertIn("is neither a language model nor an encoder", self.fails("serve", self.small_plan(), "--port=0"))
        self.assertIn("--mode", self.fails("serve", self.plan, "--mode=fast", code=2))
        with Server(self.plan) as server:
            said = self.fails("serve", self.plan, f"--port={server.port}")
            self.assertIn(f"cannot listen on 127.0.0.1 port {server.port}", said)


if __name__ == "__main__":
    unittest.main()
