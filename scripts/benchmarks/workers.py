# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The driver's side of engines.py: starts engines, asks them in turn, collects their times. Standard library only."""

import json
import statistics
import subprocess
import time

from benchmarks.environment import BenchError
from benchmarks.machine import first_cpus


class Worker:
    """One engine in its own process, pinned to the first `threads` CPUs."""

    def __init__(self, environment, engine, threads):
        self.engine = engine
        log = environment.work / "logs" / f"engine-{engine}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command, variables = environment.script("engines", engine, ",".join(map(str, first_cpus(threads))))
        if engine == "tamis":
            variables["TAMIS_LIBRARY"] = str(environment.library)
        with open(log, "w") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=variables
            )
        self.log = log

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            tail = self.log.read_text(errors="replace")[-1000:]
            raise BenchError(
                f"{self.engine} died (status {self.process.wait()}) on {request}; the end of {self.log}:\n{tail}"
            )
        reply = json.loads(line)
        if "error" in reply:
            raise BenchError(f"{self.engine} on {request}: {reply['error']}")
        return reply

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Workers(dict):
    """Engine name -> Worker, all ended when the block is left."""

    def __init__(self, environment, engines, threads):
        super().__init__()
        try:
            for engine in engines:
                self[engine] = Worker(environment, engine, threads)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for worker in self.values():
            worker.close()


def alternate(actions, rounds):
    """Calls every action of `actions` (name -> function) once a round, in reversed order every other round.
    Returns name -> list of what it returned, by round."""
    returned = {name: [] for name in actions}
    names = list(actions)
    for number in range(rounds):
        for name in names if number % 2 == 0 else names[::-1]:
            returned[name].append(actions[name]())
            time.sleep(0.03)  # threads of the last engine that still spin go to sleep
    return returned


def median_of_runs(bursts):
    """The median over all runs of all bursts, seconds."""
    return statistics.median([seconds for reply in bursts for seconds in reply["times"]])
