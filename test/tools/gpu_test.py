# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plans for GPUs through the command line, run on the emulated device."""

import json
import unittest

import numpy as np
from command import CommandTest

PATTERNS = ["window(size=5, sinks=1)", "local_global(block=16)", "top_k(k=8)", "block_top_k(k=2, block=8)",
            "page_bounds(k=3, page=4)", "linear", "antidiagonal(block=16, stride=4)"]
# Of causal attention; some are fitted to passages.
CAUSAL = ["vertical_slash(vertical=4, slash=3, block=16, sinks=1, local=1, last=8)", "fraction(share=0.3)", "ann(k=8, bits=4)",
          "ann(k=8, method=pq, parts=3, centroids=4, candidates=16)", "indexer(k=8, heads=2, width=4)",
          "compressed_selected_window(block=16, k=2, local=1, compress=4, window=8)", "gate_quantile(quantile=0.5)",
          "dynamic_gate(mass=0.6)", "token_activation(share=0.5)", "focus_aware(skip=0.5)"]
SIZES = [(1, 1), (1, 16), (2, 19), (3, 64)]


class Gpu(CommandTest):
    def attentive_model(self, order=""):
        """The small model with attention between its layers: products before it and behind it."""
        model = self.small_model("attentive" + order)
        tokens = 'tensor<?x?x24xf32, #model.dims<"batch", "sequence", "24">>'
        value = "%layer_0_norm"
        op = f"  %attended = model.attention {value}, {value}, {value} heads 2 kv_heads 2 scale 0.3 {order} : {tokens}, {tokens}, {tokens}"
        text = model.read_text()
        line = next(line for line in text.splitlines() if f"{value} = " in line)
        before, after = text.split(line)
        model.write_text(f"{before}{line}\n{op} -> {tokens}{after.replace(value, '%attended')}")
        return model

    def test_computes_what_the_model_says(self):
        """Operands of matrix products are rounded to f16; findings of the emulator are failures."""
        model = self.small_model()
        self.tamis("compile", model, "-o", "gpu.plan", "--target=x86-64-v3,cuda:sm_80")
        for batch, sequence in SIZES:
            sizes = [f"--dim=batch={batch}", f"--dim=sequence={sequence}"]
            said = self.tamis("verify", "gpu.plan", model, "--device=emulated", "--tolerance=5e-3", *sizes)
            self.assertEqual(said.stderr, "")
            self.tamis("verify", "gpu.plan", model, *sizes)

    def test_reads_what_patterns_select(self):
        """What is selected follows from products of nearly f32."""
        model = self.attentive_model()
        for pattern in PATTERNS:
            with self.subTest(pattern=pattern):
                self.tamis("compile", model, "-o", "sparse.plan", "--target=cuda:sm_80", f"--attention={pattern}")
                for batch, sequence in SIZES:
                    sizes = [f"--dim=batch={batch}", f"--dim=sequence={sequence}"]
                    said = self.tamis("verify", "sparse.plan", model, "--device=emulated", "--tolerance=5e-3",
                                      f"--attention={pattern}", *sizes)
                    self.assertEqual(said.stderr, "")

    def test_every_pattern(self):
        """Those that the test before has not: none is refused, and each reads what the CPU's plan reads."""
        model = self.attentive_model("causal")
        random = np.random.default_rng(1)
        np.savez(self.folder / "passages.npz", ids=random.integers(0, 10, (4, 40)))
        np.savez(self.folder / "in.npz", ids=random.integers(0, 10, (2, 37)))
        for pattern in CAUSAL:
            with self.subTest(pattern=pattern):
                self.tamis("compile", model, "-o", "sparse.plan", "--target=x86-64-v3,cuda:sm_80,sm_90a", "--calibrate=passages.npz",
                           f"--attention={pattern}")
                found, wanted = self.answers("sparse.plan", "emulated"), self.answers("sparse.plan", "cpu")
                np.testing.assert_allclose(found, wanted, atol=2e-2)

    def answers(self, plan, device, environment=None):
        self.tamis("run", plan, f"--device={device}", "--input=ids=@in.npz", "--output=out.npz", environment=environment)
        with np.load(self.folder / "out.npz") as out:
            return out["hidden"]

    def test_bf16(self):
        """Rounds to eight bits, and splits what selections follow from as ever."""
        model, words = self.attentive_model(), ["--target=cuda:sm_80,sm_90a", "--gpu-precision=bf16"]
        self.tamis("compile", model, "-o", "gpu.plan", *words)
        for target in ("sm_80", "sm_90a"):
            ptx = self.tamis("inspect", "gpu.plan", f"--code={target}").stdout
            self.assertIn(".f32.bf16.bf16", ptx)
            self.assertNotIn(".f16.f16", ptx)
            for batch, sequence in SIZES:
                sizes = [f"--dim=batch={batch}", f"--dim=sequence={sequence}"]
                said = self.tamis("verify", "gpu.plan", model, "--device=emulated", "--tolerance=4e-2", *sizes,
                                  environment={"TAMIS_EMULATED_DEVICE": target})
                self.assertEqual(said.stderr, "")
        self.tamis("compile", model, "-o", "sparse.plan", *words, "--attention=top_k(k=8)")
        ptx = self.tamis("inspect", "sparse.plan", "--code=sm_80").stdout
        self.assertIn(".f16.f16", ptx)
        self.assertIn(".bf16.bf16", ptx)
        message = self.fails("compile", model, "-o", "x.plan", "--gpu-precision=bf16", code=2)
        self.assertIn("--gpu-precision is for targets as --target=cuda:sm_80", message)
        self.assertIn("--gpu-precision", self.fails("compile", model, "-o", "x.plan", *words[:1], "--gpu-precision=f64", code=2))

    def test_quantized(self):
        """Bytes are multiplied as on the CPU, and packed weights stay packed."""
        model = self.attentive_model()
        np.savez(self.folder / "in.npz", ids=np.random.default_rng(1).integers(0, 10, (2, 19)))
        of_bytes = "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32"
        of_halves = {"sm_80": "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", "sm_90a": "wgmma.mma_async"}
        for weights in ("int8", "int8(group=8)", "int4(group=8)"):
            with self.subTest(weights=weights):
                words = ["-o", "both.plan", f"--weights={weights}", "--target=x86-64-v3,cuda:sm_80,sm_90a"]
                self.tamis("compile", model, *words)
                self.tamis("compile", model, "-o", "cpu.plan", f"--weights={weights}", "--target=x86-64-v3")
                for target in ("sm_80", "sm_90a"):
                    instruction = of_bytes if weights == "int8" else of_halves[target]
                    self.assertIn(instruction, self.tamis("inspect", "both.plan", f"--code={target}").stdout)
                    found = self.answers("both.plan", "emulated", {"TAMIS_EMULATED_DEVICE": target})
                    np.testing.assert_allclose(found, self.answers("cpu.plan", "cpu"), atol=3e-2)
                sections = [json.loads(self.tamis("inspect", plan, "--json").stdout)["sections"] for plan in ("both.plan", "cpu.plan")]
                held, wanted = [next(s["bytes"] for s in each if s["kind"] == "weights") for each in sections]
                self.assertEqual(held, wanted)

    def test_selections_do_not_follow_from_rounded_products(self):
        """All that is before the last selection is split; alone, what is behind it is rounded."""
        model = self.attentive_model()
        for pattern in ("top_k(k=8)", "window(size=5)"):
            words = ["--target=cuda:sm_80,sm_90a", f"--attention={pattern}", "--gpu-decisions=told.json"]
            self.tamis("compile", model, "-o", "sparse.plan", *words)
            told = json.loads((self.folder / "told.json").read_text())["targets"]
            self.assertEqual([target["target"] for target in told], ["sm_80", "sm_90a"])
            for target in told:
                kernels = [k for k in target["kernels"] if k["kernel"].startswith("linear")]
                split = [k["shape"].endswith(", split") for k in kernels]
                self.assertEqual(any(split), pattern.startswith("top_k"), kernels)
        self.assertTrue(kernels)

    def test_warp_groups(self):
        """sm_90a computes products with other instructions; the emulated device is one by its environment."""
        model = self.small_model()
        self.tamis("compile", model, "-o", "gpu.plan", "--target=x86-64-v3,cuda:sm_80,sm_90a")
        self.assertIn("wgmma.mma_async", self.tamis("inspect", "gpu.plan", "--code=sm_90a").stdout)
        hopper = {"TAMIS_EMULATED_DEVICE": "sm_90a"}
        for batch, sequence in SIZES:
            sizes = [f"--dim=batch={batch}", f"--dim=sequence={sequence}"]
            words = ["verify", "gpu.plan", model, "--device=emulated", "--tolerance=5e-3", *sizes]
            self.assertEqual(self.tamis(*words, environment=hopper).stderr, "")

    def test_one_plan_for_both(self):
        model = self.small_model()
        self.tamis("compile", model, "-o", "cpu.plan", "--target=x86-64-v3")
        self.tamis("compile", model, "-o", "gpu.plan", "--target=cuda:sm_80,sm_86")
        self.tamis("compile", model, "-o", "both.plan", "--target=cuda:sm_80,x86-64-v3")
        both = json.loads(self.tamis("inspect", "both.plan", "--json").stdout)
        self.assertEqual([s["name"] for s in both["sections"]], ["x86-64-v3", "sm_80", "weights", "gpu"])
        self.assertEqual([s["in_use"] for s in both["sections"]], [True, False, True, False])
        cpu = json.loads(self.tamis("inspect", "cpu.plan", "--json").stdout)
        self.assertEqual(both["dispatches"], cpu["dispatches"])
        gpu = json.loads(self.tamis("inspect", "both.plan", "--level=sm_80", "--json").stdout)
        self.assertEqual([d["sources"] for d in gpu["dispatches"]], [d["sources"] for d in cpu["dispatches"]])
        for dispatch in gpu["dispatches"]:
            self.assertGreaterEqual(dispatch["group_threads"], 32)
        # Without code for the CPU it can be asked, and not run there.
        alone = json.loads(self.tamis("inspect", "gpu.plan", "--json").stdout)
        self.assertEqual([s["name"] for s in alone["sections"]], ["sm_80", "sm_86", "weights", "gpu"])
        self.assertIn("'sm_80' is for an NVIDIA GPU", self.fails("run", "gpu.plan", "--input=ids=1x3xi64=1"))
        ptx = self.tamis("inspect", "gpu.plan", "--code=sm_86").stdout
        self.assertIn(".target sm_86", ptx)
        self.assertTrue(ptx.endswith("\n"))

    def test_cubins(self):
        """An assembler that copies stands for NVIDIA's; the emulated driver takes PTX and refuses machine code."""
        assembler = self.folder / "ptxas"
        assembler.write_text('#!/bin/sh\necho "$1" > "$4"\n')
        assembler.chmod(0o755)
        there = {"TAMIS_PTXAS": str(assembler)}
        model, words = self.small_model(), ["--target=cuda:sm_80,sm_90a"]
        self.tamis("compile", model, "-o", "gpu.plan", *words, environment=there)
        sections = json.loads(self.tamis("inspect", "gpu.plan", "--json").stdout)["sections"]
        names = [section["name"] for section in sections if section["kind"] == "code"]
        self.assertEqual(names, ["sm_80", "sm_80-cubin", "sm_90a", "sm_90a-cubin"])
        self.assertEqual(self.tamis("inspect", "gpu.plan", "--code=sm_90a-cubin").stdout, "-arch=sm_90a\n")
        self.tamis("verify", "gpu.plan", model, "--device=emulated", "--tolerance=5e-3", "--dim=batch=1", "--dim=sequence=3")
        self.tamis("compile", model, "-o", "again.plan", *words, environment=there)
        self.assertEqual((self.folder / "gpu.plan").read_bytes(), (self.folder / "again.plan").read_bytes())
        assembler.write_text("#!/bin/sh\necho no such target; exit 1\n")
        message = self.fails("compile", model, "-o", "x.plan", *words, environment=there)
        self.assertIn("does not assemble the code for sm_80: no such target", message)
        message = self.fails("compile", model, "-o", "x.plan", *words, environment={"TAMIS_PTXAS": "/nowhere/ptxas"})
        self.assertIn("'/nowhere/ptxas' does not assemble the code for sm_80", message)

    def test_decisions(self):
        """They are told, and those that were edited are taken: other grids, the same answer."""
        model, words = self.small_model(), ["--target=x86-64-v3,cuda:sm_80,sm_90"]
        self.tamis("compile", model, "-o", "a.plan", *words, "--gpu-decisions=a.json")
        told = json.loads((self.folder / "a.json").read_text())
        self.assertEqual([target["target"] for target in told["targets"]], ["sm_80", "sm_90"])
        linear = next(k for k in told["targets"][0]["kernels"] if len(k["candidates"]) > 1)
        self.assertFalse(linear["by_hand"])
        self.assertEqual(json.loads(self.tamis("inspect", "a.plan", "--json").stdout)["reports"], {"gpu": told})
        self.assertRegex(self.tamis("inspect", "a.plan").stdout, rf"{linear['kernel']} +{linear['chosen']} +")
        best = min((c for c in linear["candidates"] if c["groups_per_processor"]), key=lambda c: c["cycles"])
        self.assertEqual(best["tile"], linear["chosen"])
        # Given back as it is, it changes nothing.
        self.tamis("compile", model, "-o", "b.plan", *words, "--gpu-choices=a.json")
        self.assertEqual((self.folder / "a.plan").read_bytes(), (self.folder / "b.plan").read_bytes())
        other = next(c for c in linear["candidates"] if c["tile"] != linear["chosen"] and c["groups_per_processor"])
        linear["chosen"] = other["tile"]
        (self.folder / "edited.json").write_text(json.dumps(told))
        self.tamis("compile", model, "-o", "c.plan", *words, "--gpu-choices=edited.json", "--gpu-decisions=c.json")
        taken = json.loads((self.folder / "c.json").read_text())["targets"][0]["kernels"]
        self.assertEqual([k["kernel"] for k in taken if k["by_hand"]], [linear["kernel"]])
        dispatches = json.loads(self.tamis("inspect", "c.plan", "--level=sm_80", "--json").stdout)["dispatches"]
        changed = [d for d in dispatches if d["name"] == linear["kernel"]]
        self.assertEqual({d["group_threads"] for d in changed}, {32 * other["warps"]})
        self.tamis("verify", "c.plan", model, "--device=emulated", "--tolerance=5e-3", "--dim=batch=2", "--dim=sequence=19")

        linear["chosen"] = "1x1x1"
        (self.folder / "wrong.json").write_text(json.dumps(told))
        (self.folder / "empty.json").write_text("{}")
        both, one = [model, "-o", "x.plan", *words], [model, "-o", "x.plan", "--target=cuda:sm_80"]
        self.assertIn("has no tile '1x1x1' for sm_80 but one of", self.fails("compile", *both, "--gpu-choices=wrong.json"))
        self.assertIn('no list "targets"', self.fails("compile", *one, "--gpu-choices=empty.json"))
        self.assertIn("none.json", self.fails("compile", *one, "--gpu-choices=none.json"))
        message = self.fails("compile", *one, "--gpu-choices=a.json")
        self.assertIn("tiles are chosen for 'sm_90', which the plan is not compiled for", message)
        for option in ("--gpu-choices=a.json", "--gpu-decisions=x.json"):
            message = self.fails("compile", model, "-o", "x.plan", option, code=2)
            self.assertIn("is for targets as --target=cuda:sm_80", message)

    def test_tune(self):
        """Choices follow from counts, the same each time; those that are made by hand stay."""
        model, words = self.attentive_model(), ["--target=cuda:sm_80,sm_90a"]
        self.tamis("compile", model, "-o", "a.plan", *words, "--tune", "--gpu-decisions=a.json")
        told = json.loads((self.folder / "a.json").read_text())
        several = 0
        for target in told["targets"]:
            for kernel in target["kernels"]:
                fitting = [c for c in kernel["candidates"] if c["groups_per_processor"]]
                self.assertFalse(kernel["by_hand"])
                self.assertEqual(kernel.get("tuned", False), len(fitting) > 1, kernel["kernel"])
                if len(fitting) < 2:
                    continue
                several += 1
                best = min(fitting, key=lambda c: c["counted"]["cycles"])
                self.assertEqual(best["tile"], kernel["chosen"])
                for candidate in fitting:
                    self.assertGreater(candidate["counted"]["instructions"], 0)
                    self.assertGreater(candidate["counted"]["tensor_macs"], 0)
                    self.assertGreater(candidate["counted"]["sectors"], 0)
        self.assertGreaterEqual(several, 5)  # attention on sm_80, and the linears of both
        self.tamis("verify", "a.plan", model, "--device=emulated", "--tolerance=5e-3", "--dim=batch=2", "--dim=sequence=19")
        self.tamis("compile", model, "-o", "again.plan", *words, "--tune")
        self.assertEqual((self.folder / "a.plan").read_bytes(), (self.folder / "again.plan").read_bytes())
        kernel = next(k for k in told["targets"][0]["kernels"] if k["kernel"].startswith("attention"))
        kernel["chosen"] = next(c["tile"] for c in kernel["candidates"] if c["tile"] != kernel["chosen"])
        told["targets"] = [{"target": "sm_80", "kernels": [kernel]}]
        (self.folder / "edited.json").write_text(json.dumps(told))
        self.tamis("compile", model, "-o", "b.plan", *words, "--tune", "--gpu-choices=edited.json", "--gpu-decisions=b.json")
        taken = json.loads((self.folder / "b.json").read_text())["targets"][0]["kernels"]
        own = next(k for k in taken if k["kernel"] == kernel["kernel"])
        self.assertEqual((own["chosen"], own.get("tuned", False)), (kernel["chosen"], False))
        self.assertTrue(any(k.get("tuned") for k in taken))
        # Where there is an assembler, it tells the registers.
        assembler = self.folder / "ptxas"
        said = "ptxas info    : 0 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads\\nptxas info    : Used 168 registers, used 1 barriers"
        assembler.write_text(f'#!/bin/sh\nprintf "{said}\\n" >&2\necho "$1" > "$4"\n')
        assembler.chmod(0o755)
        self.tamis("compile", model, "-o", "d.plan", "--target=cuda:sm_80", "--tune", "--gpu-decisions=d.json",
                   environment={"TAMIS_PTXAS": str(assembler)})
        kernels = json.loads((self.folder / "d.json").read_text())["targets"][0]["kernels"]
        counted = [(c["warps"], c["counted"]) for k in kernels for c in k["candidates"] if "counted" in c]
        self.assertEqual({(c["registers"], c["spill_bytes"]) for _, c in counted}, {(168, 8)})
        for warps, c in counted:
            self.assertLessEqual(c["groups_per_processor"], 65536 // (168 * 32 * warps))
        message = self.fails("compile", model, "-o", "x.plan", "--tune", code=2)
        self.assertIn("--tune is for targets as --target=cuda:sm_80", message)

    def test_wrong_targets(self):
        message = self.fails("compile", self.small_model(), "-o", "x.plan", "--target=cuda:sm_12")
        self.assertIn("unknown gpu target 'cuda:sm_12'; known are sm_80", message)


if __name__ == "__main__":
    unittest.main()
