# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of `tamis serve` share: a server that runs for a test, and a client of it."""

import http.client
import json
import re
import signal
import subprocess

from command import TAMIS


class Server:
    """`tamis serve PLAN WORDS` on a free port, in a with block; it must end well."""

    def __init__(self, plan, *words):
        command = [TAMIS, "serve", plan, "--port=0", "--threads=1", *words]
        self.process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"(\S+) listens on http://127\.0\.0\.1:(\d+)\n", line)
        if not found:
            raise AssertionError(f"{line}{self.process.communicate()[1]}")
        self.name, self.port = found[1], int(found[2])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            _, errors = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        if kind is None and (self.process.returncode or errors):
            raise AssertionError(f"the server ended with {self.process.returncode}: {errors}")

    def connect(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, path, body=None, method=None, headers=None):
        """(status, answer): JSON as such, else text. `body` is JSON, or bytes."""
        connection = self.connect()
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method or ("GET" if body is None else "POST"), path, data, headers or {})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        kind = response.headers.get("Content-Type", "")
        return response.status, json.loads(text) if kind.startswith("application/json") else text

    def stream(self, path, body):
        """The events of a streamed answer, without the last, which must say that it is."""
        status, text = self.ask(path, {**body, "stream": True})
        assert status == 200, text
        events = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
        assert events[-1] == "[DONE]", events
        return [json.loads(event) for event in events[:-1]]

    def metric(self, name):
        text = self.ask("/metrics")[1]
        return float(re.search(rf"(?m)^{re.escape(name)} (\S+)$", text)[1])
