# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small decoders of Llama's kind with random weights, as GGUF files and Hugging Face folders, and what they compute in
plain numpy."""

import dataclasses
import json
import math

import gguf
import numpy as np
from safetensors.numpy import save_file


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes and rules of a decoder. Widths are whole blocks of every packing."""

    architecture: str = "llama"
    layers: int = 2
    width: int = 256
    heads: int = 4
    kv_heads: int = 2
    head_width: int = 64
    inner: int = 256
    vocabulary: int = 300
    positions: int = 48
    base: float = 500.0
    epsilon: float = 1e-5
    bias: bool = False  # of queries, keys and values
    qk_norm: bool = False
    tied: bool = True
    rope_freqs: bool = False
    yarn: tuple = ()  # factor, original positions, fast, slow

    @property
    def interleaved(self):
        """In GGUF. Hugging Face's folders have all pairs half a head apart."""
        return self.architecture == "llama"


def random_weights(shape, seed):
    """By the names of GGUF, f32; matrices are [out, in]."""
    random = np.random.default_rng(seed)

    def normal(*sizes, scale):
        return (random.standard_normal(sizes) * scale).astype("f4")

    weights = {"token_embd.weight": normal(shape.vocabulary, shape.width, scale=1)}
    weights["output_norm.weight"] = 1 + normal(shape.width, scale=0.2)
    if not shape.tied:
        weights["output.weight"] = normal(shape.vocabulary, shape.width, scale=1 / math.sqrt(shape.width))
    if shape.rope_freqs:
        weights["rope_freqs.weight"] = 1 + np.arange(shape.head_width // 2, dtype="f4")
    kv, q = shape.kv_heads * shape.head_width, shape.heads * shape.head_width
    for index in range(shape.layers):
        layer = f"blk.{index}"
        for name in ("attn_norm", "ffn_norm"):
            weights[f"{layer}.{name}.weight"] = 1 + normal(shape.width, scale=0.2)
        for name, out, into in (
            ("attn_q", q, shape.width), ("attn_k", kv, shape.width), ("attn_v", kv, shape.width),
            ("attn_output", shape.width, q), ("ffn_gate", shape.inner, shape.width), ("ffn_up", shape.inner, shape.width),
            ("ffn_down", shape.width, shape.inner),
        ):  # fmt: skip
            weights[f"{layer}.{name}.weight"] = normal(out, into, scale=1.3 / math.sqrt(into))
        if shape.bias:
            for name, out in (("attn_q", q), ("attn_k", kv), ("attn_v", kv)):
                weights[f"{layer}.{name}.bias"] = normal(out, scale=0.3)
        if shape.qk_norm:
            for name in ("attn_q_norm", "attn_k_norm"):
                weights[f"{layer}.{name}.weight"] = 1 + normal(shape.head_width, scale=0.2)
    return weights


def yarn_turns(shape, turns):
    """Turns by the rule of YaRN, and what turned queries and keys are multiplied with."""
    factor, original, fast, slow = shape.yarn
    bounds = [shape.head_width * math.log(original / (n * 2 * math.pi)) / (2 * math.log(shape.base)) for n in (fast, slow)]
    low, high = max(math.floor(bounds[0]), 0), min(math.ceil(bounds[1]), shape.head_width - 1)
    slowed = np.clip((np.arange(len(turns)) - low) / max(high - low, 0.001), 0, 1)
    return turns / factor * slowed + turns * (1 - slowed), 0.1 * math.log(factor) + 1


def logits_of(shape, weights, ids):
    """[tokens, vocabulary] of one text, in f64."""
    weights = {name: value.astype("f8") for name, value in weights.items()}
    tokens, half = len(ids), shape.head_width // 2
    turns = shape.base ** (-np.arange(half) / half)
    if "rope_freqs.weight" in weights:
        turns = turns / weights["rope_freqs.weight"]
    scale = 1
    if shape.yarn:
        turns, scale = yarn_turns(shape, turns)
    angles = np.arange(tokens)[:, None] * turns
    cosine, sine = scale * np.cos(angles)[:, None], scale * np.sin(angles)[:, None]

    def norm(x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + shape.epsilon) * weights[f"{name}.weight"]

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0)

    def rotate(x):
        if shape.interleaved:
            a, b = x[..., 0::2], x[..., 1::2]
        else:
            a, b = x[..., :half], x[..., half:]
        one, other = a * cosine - b * sine, b * cosine + a * sine
        return np.stack([one, other], -1).reshape(x.shape) if shape.interleaved else np.concatenate([one, other], -1)

    x = weights["token_embd.weight"][ids]
    for index in range(shape.layers):
        layer = f"blk.{index}"
        normed = norm(x, f"{layer}.attn_norm")

        def heads_of(name, count):
            y = linear(normed, f"{layer}.{name}").reshape(tokens, count, shape.head_width)
            if shape.qk_norm and name != "attn_v":
                y = norm(y, f"{layer}.{name}_norm")
            return y if name == "attn_v" else rotate(y)

        q, k, v = (heads_of(n, c) for n, c in (("attn_q", shape.heads), ("attn_k", shape.kv_heads), ("attn_v", shape.kv_heads)))
        group = shape.heads // shape.kv_heads
        k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
        scores = np.einsum("qhd,khd->hqk", q, k) / math.sqrt(shape.head_width)
        scores = np.where(np.tri(tokens, dtype=bool), scores, -np.inf)
        weight = np.exp(scores - scores.max(-1, keepdims=True))
        weight /= weight.sum(-1, keepdims=True)
        x = x + linear(np.einsum("hqk,khd->qhd", weight, v).reshape(tokens, -1), f"{layer}.attn_output")
        normed = norm(x, f"{layer}.ffn_norm")
        gate = linear(normed, f"{layer}.ffn_gate")
        x = x + linear(gate / (1 + np.exp(-gate)) * linear(normed, f"{layer}.ffn_up"), f"{layer}.ffn_down")
    return linear(norm(x, "output_norm"), "token_embd" if shape.tied else "output")


def write_gguf(path, shape, weights, packings={}, tokenizer=None):
    """Writes the file, and gives the weights as they are after packing, which is F32 where `packings` does not name
    them. `tokenizer` is a dict of lists: tokens, merges,
    types."""
    writer = gguf.GGUFWriter(path, shape.architecture)
    writer.add_context_length(shape.positions)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_rope_freq_base(shape.base)
    if shape.yarn:
        factor, original, fast, slow = shape.yarn
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(factor)
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_rope_scaling_yarn_beta_fast(fast)
        writer.add_rope_scaling_yarn_beta_slow(slow)
    if tokenizer and "scores" in tokenizer:
        writer.add_tokenizer_model("llama")
        writer.add_token_list(tokenizer["tokens"])
        writer.add_token_scores(tokenizer["scores"])
        writer.add_token_types(tokenizer["types"])
        writer.add_bos_token_id(tokenizer["begin"])
        writer.add_unk_token_id(0)
    elif tokenizer:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(tokenizer.get("pre", "smollm"))
        writer.add_token_list(tokenizer["tokens"])
        writer.add_token_merges(tokenizer["merges"])
        writer.add_token_types(tokenizer["types"])
        if "end" in tokenizer:
            writer.add_eos_token_id(tokenizer["end"])
        if "chat" in tokenizer:
            writer.add_chat_template(tokenizer["chat"])
    kept = {}
    for name, value in weights.items():
        kind = packings.get(name, gguf.GGMLQuantizationType.F32)
        packed, kept[name] = pack(value, kind)
        writer.add_tensor(name, packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return kept


def pack(value, kind):
    """The packed form, and what it stands for. The package packs few kinds itself; of the others bytes are made up whose
    scales are small."""
    if kind == gguf.GGMLQuantizationType.F32:
        return value, value
    try:
        packed = gguf.quants.quantize(value, kind)
    except NotImplementedError:
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        random = np.random.default_rng(value.size)
        blocks = random.integers(0, 256, (value.size // elements, size), dtype=np.uint8)
        # Scales are the halves at these bytes; the rest of a block may hold anything.
        scales = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,), "IQ4_NL": (0,)}[kind.name]
        for at in scales:
            small = (random.random(len(blocks)) * 4e-4).astype("f2")
            blocks[:, at : at + 2] = small.view(np.uint8).reshape(-1, 2)
        packed = blocks.reshape(*value.shape[:-1], -1)
    return packed, gguf.quants.dequantize(packed, kind).reshape(value.shape)


HUGGING_FACE = {
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head", "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm", "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip


def write_folder(folder, shape, weights, shards=1):
    """A folder whose model computes the same as the GGUF file of a shape whose pairs lie half a head apart."""
    folder.mkdir()
    config = {
        "model_type": shape.architecture, "vocab_size": shape.vocabulary, "hidden_size": shape.width,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_width, "intermediate_size": shape.inner, "max_position_embeddings": shape.positions,
        "rms_norm_eps": shape.epsilon, "hidden_act": "silu", "rope_parameters": {"rope_theta": shape.base, "rope_type": "default"},
        "eos_token_id": 1,
    }  # fmt: skip
    if shape.yarn:
        names = ("factor", "original_max_position_embeddings", "beta_fast", "beta_slow")
        config["rope_parameters"] |= {"rope_type": "yarn", **dict(zip(names, shape.yarn))}
    (folder / "config.json").write_text(json.dumps(config))
    renamed = {}
    for name, value in weights.items():
        *layer, stem, kind = name.split(".")
        prefix = f"model.layers.{layer[1]}." if layer else ""
        renamed[f"{prefix}{HUGGING_FACE[stem]}.{kind}"] = value
    if shards == 1:
        save_file(renamed, folder / "model.safetensors")
        return
    names, where = sorted(renamed), {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = {name: renamed[name] for name in names[shard::shards]}
        save_file(part, folder / file)
        where.update({name: file for name in part})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
