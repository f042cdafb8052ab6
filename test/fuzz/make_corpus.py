# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes test/fuzz/corpus: small files of every kind that a fuzz target starts from. The same every time.

    make_corpus.py        (needs Python's onnx)

Plans are not here: the build makes one, in the format of the day.
"""

import json
import pathlib
import struct

from onnx import parser

HERE = pathlib.Path(__file__).parent

ONNX = {
    "encoder": (17, """g (int64[b, s] ids, int64[b, s] mask) => (float[b, s, 2] y)
        <float[4, 2] words = {0, 1, 2, 3, 4, 5, 6, 7}, int64[1, 4] positions = {0, 1, 2, 3}, int64 one = {1}, int64[1] zero = {0},
         int64[1] axis = {1}, float[2, 2] w = {1, 2, 3, 4}, float[2] scale = {1, 2}, int64[3] open = {0, -1, 2}> {
        x = Gather(words, ids) shape = Shape(ids) n = Gather(shape, one) e = Unsqueeze(n, zero)
        p = Slice(positions, zero, e, axis) t = Gather(words, p) a = Add(x, t) l = MatMul(a, w)
        h = LayerNormalization(l, scale, scale) r = Reshape(h, open) q = Transpose<perm = [0, 2, 1]>(r)
        k = MatMul(r, q) o = Softmax<axis = -1>(k) y = MatMul(o, r) }"""),
    "attention": (23, """g (float[2, s, 8] x) => (float[2, s, 8] y) <float[8] w = {1, 1, 1, 1, 1, 1, 1, 1}> {
        n = RMSNormalization(x, w) a = Attention<q_num_heads = 2, kv_num_heads = 2, is_causal = 1>(n, n, n)
        g = Gelu<approximate = "tanh">(a) y = Add(g, x) }"""),
    "shapes": (18, """g (float[n, 4] x) => (float[m, k] y) <int64[2] s = {1, 3}, int64[1] a = {1}, int64[2] r = {2, 1}> {
        p, q = Split<axis = 1>(x, s) t = Tile(q, r) m = ReduceMean<keepdims = 1>(t, a) e = Einsum<equation = "ij,kj->ik">(t, t)
        c = Cast<to = 7>(m) d = Cast<to = 1>(c) y = Concat<axis = 1>(e, d) }"""),
    "control": (18, """g (float[2, 3] x) => (float[2, 3] y) <bool c = {1}, int64 trips = {2}> {
        i = If (c) <then_branch = t () => (float[2, 3] a) { a = Relu(x) }, else_branch = f () => (float[2, 3] b) { b = Neg(x) }>
        y = Loop (trips, c, i) <body = l (int64 n, bool in, float[2, 3] v) => (bool out, float[2, 3] w)
            { out = Identity(in) w = Add(v, x) }> }"""),
}

TEXT = {
    "block": """#d = #model.dims<"b", "s", "8">
func.func @main(%x: tensor<?x?x8xf32, #d> {model.name = "x"}) -> (tensor<?x?x8xf32, #d> {model.name = "y"})
    attributes {model.symbols = [#model.symbol<"b", 1, 4>, #model.symbol<"s", 1, 64>]} {
  %0 = model.norm rms %x axis 2 epsilon 1.0e-5 : tensor<?x?x8xf32, #d> -> tensor<?x?x8xf32, #d>
  %1 = sattn.attention #sattn.local_global<block = 4, key_tokens = 2> %0, %0, %0 heads 2 kv_heads 2 scale 0.5
      : tensor<?x?x8xf32, #d>, tensor<?x?x8xf32, #d>, tensor<?x?x8xf32, #d> -> tensor<?x?x8xf32, #d>
  %2 = model.activation gelu %1 : tensor<?x?x8xf32, #d>
  %y = model.elementwise add %2, %x : (tensor<?x?x8xf32, #d>, tensor<?x?x8xf32, #d>) -> tensor<?x?x8xf32, #d>
  return %y : tensor<?x?x8xf32, #d>
}
""",
    "tensors": """func.func @main(%x: tensor<?x4xf32, #model.dims<"n", "4">> {model.name = "x"})
    -> (tensor<?x2xf32, #model.dims<"2*n", "2">> {model.name = "y"})
    attributes {model.symbols = [#model.symbol<"n", 1, 9>]} {
  %c = model.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %0 = model.elementwise mul %x, %c : (tensor<?x4xf32, #model.dims<"n", "4">>, tensor<4xf32>) -> tensor<?x4xf32, #model.dims<"n", "4">>
  %1 = model.softmax %0 axis 1 : tensor<?x4xf32, #model.dims<"n", "4">>
  %y = model.reshape %1 : tensor<?x4xf32, #model.dims<"n", "4">> -> tensor<?x2xf32, #model.dims<"2*n", "2">>
  return %y : tensor<?x2xf32, #model.dims<"2*n", "2">>
}
""",
}

PTX = {
    "add": """.version 7.0
.target sm_80
.address_size 64
.visible .entry add(.param .u64 x, .param .u64 n)
{
  .reg .pred %p<2>; .reg .b32 %r<4>; .reg .b64 %rd<6>; .reg .f32 %f<3>;
  .shared .align 16 .b8 tile[256];
  ld.param.u64 %rd1, [x]; ld.param.u64 %rd2, [n];
  cvta.to.global.u64 %rd1, %rd1;
  mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mad.lo.s32 %r3, %r2, 32, %r1;
  cvt.u64.u32 %rd3, %r3; setp.ge.s64 %p1, %rd3, %rd2; @%p1 bra $end;
  shl.b64 %rd4, %rd3, 2; add.s64 %rd5, %rd1, %rd4;
  ld.global.f32 %f1, [%rd5]; fma.rn.f32 %f2, %f1, 0f40000000, %f1; st.global.f32 [%rd5], %f2;
  bar.sync 0;
$end:
  ret;
}
""",
}

def safetensors(header, size):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(range(256)) * (size // 256) + bytes(size % 256)

def files():
    for name, (opset, text) in ONNX.items():
        model = parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]>\n{text}')
        yield f"onnx/{name}.onnx", model.SerializeToString()
    for name, text in TEXT.items():
        yield f"text/{name}.mlir", text.encode()
    for name, text in PTX.items():
        yield f"ptx/{name}.ptx", text.encode()
    yield "safetensors/two.safetensors", safetensors(
        {"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
         "b": {"dtype": "I64", "shape": [1], "data_offsets": [24, 32]}}, 32)
    yield "safetensors/empty.safetensors", safetensors({"weight": {"dtype": "BF16", "shape": [0, 4], "data_offsets": [0, 0]}}, 0)

def main():
    for name, content in files():
        path = HERE / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

if __name__ == "__main__":
    main()
