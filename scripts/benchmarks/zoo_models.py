# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Exports the models of `scripts/bench zoo`; needs the benchmark environment (torch, transformers, onnx).

    python -m benchmarks.zoo_models DIRECTORY [TEXT]

Hugging Face configurations with random weights: narrow, with the layers that the real depth patterns need. Each model
whose name contains TEXT is exported once a spelling; DIRECTORY/MODEL.SPELLING.onnx that are there are kept. Prints one
JSON object a file: {"model": .., "spelling": .., "attentions": wanted count} and, where torch itself fails, "error".
"""

import json
import logging
import os
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore")
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error")

import torch  # noqa: E402
import transformers as hf  # noqa: E402

# Spelling: exporter, opset, attention of transformers.
SPELLINGS = {
    "script17": (False, 17, "eager"),
    "dynamo18": (True, 18, "sdpa"),
    "dynamo18-eager": (True, 18, "eager"),
    "dynamo23": (True, 23, "sdpa"),
}
VOCABULARY, WIDTH, HEADS, SOURCE = 100, 64, 4, 20
IMAGE, FRAMES = 32, 100

# What an input holds, and which of its axes have a name. `feeds` in zoo_judge.py makes the values.
INPUTS = {
    "input_ids": {0: "batch", 1: "sequence"},
    "attention_mask": {0: "batch", 1: "sequence"},
    "decoder_input_ids": {0: "batch", 1: "sequence"},
    "encoder_hidden_states": {0: "batch"},
    "pixel_values": {0: "batch"},
    "input_features": {0: "batch"},
}


class Wrapped(torch.nn.Module):
    """A model from tensors to its first output, with no cache."""

    def __init__(self, model, names, choose):
        super().__init__()
        self.model, self.names, self.choose = model, names, choose

    def forward(self, *tensors):
        return self.choose(self.model(**dict(zip(self.names, tensors)), return_dict=True))


def hidden(outputs):
    return outputs.last_hidden_state


def text(config, model, attentions, choose=hidden, names=("input_ids", "attention_mask"), part=None):
    """An entry of ZOO: how to build the module for a kind of attention, its inputs, its count of attentions."""

    def build(attention):
        config_now = config()
        config_now._attn_implementation = attention if model._supports_sdpa else "eager"
        module = model(config_now)
        return Wrapped(part(module) if part else module, names, choose)

    return build, names, attentions


def bert_like(config, **more):
    return lambda: config(
        vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=3, num_attention_heads=HEADS,
        intermediate_size=96, max_position_embeddings=130, **more,
    )  # fmt: skip


def llama_like(config, layers=3, **more):
    return lambda: config(**{
        "vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": layers, "num_attention_heads": HEADS,
        "num_key_value_heads": 2, "intermediate_size": 96, "max_position_embeddings": 128, "use_cache": False,
        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, **more,
    })  # fmt: skip


def seq2seq(config, **more):
    return lambda: config(
        vocab_size=VOCABULARY, d_model=WIDTH, encoder_layers=2, decoder_layers=2, encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS, encoder_ffn_dim=96, decoder_ffn_dim=96, use_cache=False, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, **more,
    )  # fmt: skip


def t5():
    return hf.T5Config(vocab_size=VOCABULARY, d_model=WIDTH, d_kv=16, d_ff=96, num_layers=2, num_decoder_layers=2,
                       num_heads=HEADS, use_cache=False, feed_forward_proj="gated-gelu")  # fmt: skip


def whisper():
    return seq2seq(hf.WhisperConfig, num_mel_bins=16, max_source_positions=FRAMES // 2, max_target_positions=128,
                   suppress_tokens=None, begin_suppress_tokens=None)()  # fmt: skip


def vision(config, layers=3, **more):
    return lambda: config(hidden_size=WIDTH, num_hidden_layers=layers, num_attention_heads=HEADS, intermediate_size=96,
                          image_size=IMAGE, patch_size=8, **more)  # fmt: skip


def encoder_of(module):
    return module.get_encoder()


def decoder_of(module):
    return module.get_decoder()


CROSS = ("input_ids", "attention_mask", "encoder_hidden_states")
PIXELS = ("pixel_values",)
ZOO = {
    "bert": text(bert_like(hf.BertConfig), hf.BertModel, 3),
    "roberta": text(bert_like(hf.RobertaConfig), hf.RobertaModel, 3),
    "distilbert": text(
        lambda: hf.DistilBertConfig(vocab_size=VOCABULARY, dim=WIDTH, n_layers=3, n_heads=HEADS, hidden_dim=96,
                                    max_position_embeddings=128),
        hf.DistilBertModel, 3),
    "albert": text(bert_like(hf.AlbertConfig, embedding_size=32), hf.AlbertModel, 3),
    "mpnet": text(bert_like(hf.MPNetConfig), hf.MPNetModel, 3),
    "deberta-v3": text(
        bert_like(hf.DebertaV2Config, relative_attention=True, position_buckets=16, norm_rel_ebd="layer_norm",
                  share_att_key=True, pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0,
                  max_relative_positions=-1),
        hf.DebertaV2Model, 3),
    "modernbert": text(
        lambda: hf.ModernBertConfig(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=4,
                                    num_attention_heads=HEADS, intermediate_size=96, local_attention=16,
                                    global_attn_every_n_layers=3, pad_token_id=0, max_position_embeddings=128,
                                    bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2),
        hf.ModernBertModel, 4),
    "gpt2": text(
        lambda: hf.GPT2Config(vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=3, n_head=HEADS, n_positions=128,
                              use_cache=False, bos_token_id=1, eos_token_id=2),
        hf.GPT2Model, 3),
    "llama": text(llama_like(hf.LlamaConfig), hf.LlamaModel, 3),
    "qwen2": text(llama_like(hf.Qwen2Config), hf.Qwen2Model, 3),
    "qwen3": text(llama_like(hf.Qwen3Config, head_dim=32), hf.Qwen3Model, 3),
    "gemma3": text(llama_like(hf.Gemma3TextConfig, layers=6, head_dim=32, sliding_window=8,
                              query_pre_attn_scalar=32), hf.Gemma3TextModel, 6),
    "phi3": text(llama_like(hf.Phi3Config), hf.Phi3Model, 3),
    "t5-encoder": text(t5, hf.T5EncoderModel, 2),
    "t5-decoder": text(t5, hf.T5Model, 4, names=CROSS, part=decoder_of),
    "bart": text(seq2seq(hf.BartConfig, max_position_embeddings=128), hf.BartModel, 6,
                 names=("input_ids", "attention_mask", "decoder_input_ids")),
    "whisper-encoder": text(whisper, hf.WhisperModel, 2, names=("input_features",), part=encoder_of),
    "whisper-decoder": text(whisper, hf.WhisperModel, 4, names=CROSS, part=decoder_of),
    "vit": text(vision(hf.ViTConfig), hf.ViTModel, 3, names=PIXELS),
    "dinov2": text(
        lambda: hf.Dinov2Config(hidden_size=WIDTH, num_hidden_layers=3, num_attention_heads=HEADS, mlp_ratio=2,
                                image_size=2 * IMAGE, patch_size=8),
        hf.Dinov2Model, 3, names=PIXELS),
    "clip-text": text(
        lambda: hf.CLIPTextConfig(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=3,
                                  num_attention_heads=HEADS, intermediate_size=96, max_position_embeddings=128,
                                  pad_token_id=0, bos_token_id=1, eos_token_id=99),
        hf.CLIPTextModel, 3),
    "clip-vision": text(vision(hf.CLIPVisionConfig), hf.CLIPVisionModel, 3, names=PIXELS),
    "swin": text(
        lambda: hf.SwinConfig(image_size=IMAGE, patch_size=2, embed_dim=32, depths=[2, 2], num_heads=[2, 4],
                              window_size=4),
        hf.SwinModel, 4, names=PIXELS),
}  # fmt: skip


def spread(module):
    """Random weights with which every part shows: scores of about one, scales and biases that are not 1 and 0."""
    random = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=random)
            if parameter.dim() >= 2:
                fan = parameter[0].numel() if "embed" not in name else 4
                parameter.copy_(noise * 1.3 / fan**0.5)
            else:
                parameter.copy_((1 if parameter.mean() > 0.5 else 0) + 0.2 * noise)


def examples(names):
    """Sizes above 1 that differ, so that no exporter takes one axis for a constant or for the other."""
    shapes = {
        "encoder_hidden_states": (2, SOURCE, WIDTH),
        "pixel_values": (2, 3, IMAGE, IMAGE),
        "input_features": (2, 16, FRAMES),
    }
    return tuple(torch.randn(shapes[n]) if n in shapes else torch.ones(2, 17, dtype=torch.int64) for n in names)


def export(entry, path, dynamo, opset, attention):
    build, names, _ = entry
    torch.manual_seed(0)
    module = build(attention).eval()
    spread(module)
    shared = dict(opset_version=opset, input_names=list(names), output_names=["output"], dynamo=dynamo)
    if dynamo:
        dim = torch.export.Dim
        sizes = {"batch": dim("batch", min=1, max=64), "sequence": dim("sequence", min=2, max=96)}
        shapes = tuple({axis: sizes[name] for axis, name in INPUTS[n].items()} for n in names)
        shared.update(dynamic_shapes=(shapes,), external_data=False, verbose=False)
    else:
        shared.update(dynamic_axes={n: INPUTS[n] for n in names} | {"output": {0: "batch"}})
    with torch.no_grad():
        torch.onnx.export(module, examples(names), str(path), **shared)


def first_line(error):
    while error.__cause__:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:160]


def main():
    logging.disable(logging.ERROR)
    directory = pathlib.Path(sys.argv[1])
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    directory.mkdir(parents=True, exist_ok=True)
    printed = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # exporters write to standard output
    for spelling, (dynamo, opset, attention) in SPELLINGS.items():
        for model, entry in ZOO.items():
            if wanted not in f"{model}.{spelling}":
                continue
            path = directory / f"{model}.{spelling}.onnx"
            told = {"model": model, "spelling": spelling, "attentions": entry[2]}
            if not path.exists():
                partial = path.with_suffix(".partial")
                try:
                    export(entry, partial, dynamo, opset, attention)
                    partial.rename(path)
                except Exception as error:  # whatever torch raises
                    partial.unlink(missing_ok=True)
                    told["error"] = first_line(error)
            print(json.dumps(told), file=printed, flush=True)


if __name__ == "__main__":
    main()
