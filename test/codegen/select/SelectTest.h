// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of selection as text, and operands whose sums are exact.
#pragma once

#include "codegen/tile/Select.h"
#include "dialects/sattn/SattnDialect.h"
#include "test/codegen/KernelHarness.h"

namespace tamis::test {
using Sizes = std::vector<DimExpr>;

inline DimExpr expr(const std::string &text) {
  return *DimExpr::parse(text);
}

inline std::string quoted(const Sizes &sizes) {
  std::string text;
  for (const DimExpr &size : sizes)
    text += (text.empty() ? "\"" : ", \"") + size.str() + "\"";
  return text;
}

inline std::string tensor(const Sizes &sizes, const std::string &element = "f32") {
  std::string shape;
  bool isDynamic = false;
  for (const DimExpr &size : sizes) {
    shape += (size.constant() ? std::to_string(*size.constant()) : "?") + "x";
    isDynamic |= !size.constant();
  }
  return "tensor<" + shape + element + (isDynamic ? ", #model.dims<" + quoted(sizes) + ">" : "") + ">";
}

struct Bands {
  int64_t before = 0, after = 0, sinks = 0;
};

/// What a kernel computes. Queries are [b, q, heads D], keys [b, k, kvHeads D].
struct SelectText {
  std::string budget = "count 3.0", capacity = "3";
  int64_t heads = 2, D = 16, kvHeads = 2;
  int64_t R = 1, C = 1; ///< operands are summaries of as many tokens, or tokens
  std::string queryKind = "mean", keyKind = "mean";
  bool causal = false, masked = false;
  int64_t sinks = 0, local = 0;
  std::optional<Bands> bands = {};
  std::optional<int64_t> joined = {}; ///< rows of the stored index
  std::string queries = "q", keys = "k", batch = "b";
  bool packed = false; ///< one argument [b, s, (heads + kvHeads) D] holds both
  bool given = false;  ///< the argument is the scores, [b, heads, rows, items]

  std::string str() const {
    DimExpr b = expr(batch), q = expr(packed ? "s" : queries), k = expr(packed ? "s" : keys);
    DimExpr rows = sattn::rowCount(q, R), items = sattn::ceilDiv(k, C), room = DimExpr::min(items, expr(capacity));
    std::string queryType = tensor({b, q, heads * D}), keyType = tensor({b, k, kvHeads * D});
    std::string allType = tensor({b, k, (heads + kvHeads) * D}), maskType = tensor({b, 1, 1, k}, "i1");
    std::string unit = C == 1 ? " token" : " block";
    auto index = [&](int64_t r, const Sizes &shape, const DimExpr &most) {
      return "!sattn.index<" + std::to_string(r) + " x " + std::to_string(C) + unit + ", shape [" + quoted(shape) +
             "], items \"" + items.str() + "\", capacity \"" + most.str() + "\">";
    };
    std::string masking = masked ? " mask %m" : "", maskSuffix = masked ? ", " + maskType : "";
    std::string body, sizes = " queries \"" + q.str() + "\" keys \"" + k.str() + "\" ";
    if (packed)
      body += "%q = model.slice %x [\"0\", \"0\", \"0\"] step [1, 1, 1] : " + allType + " -> " + queryType +
              "\n%k = model.slice %x [\"0\", \"0\", \"" + std::to_string(heads * D) +
              "\"] step [1, 1, 1] : " + allType + " -> " + keyType + "\n";
    auto operand = [&](const char *name, const std::string &kind, int64_t width, int64_t count, const std::string &type,
                       const DimExpr &vectors, bool hasMask) {
      if (width == 1 && kind == "mean")
        return std::pair(std::string(name), type);
      int64_t columns = sattn::summaryColumns(*sattn::symbolizeSummaryKind(kind), D, width);
      std::string summary = tensor({b, count, vectors, columns});
      body += std::string(name) + "s = sattn.summarize " + kind + " " + name + (hasMask ? masking : "") + " heads " +
              std::to_string(count) + " width " + std::to_string(width) + " : " + type + (hasMask ? maskSuffix : "") +
              " -> " + summary + "\n";
      return std::pair(std::string(name) + "s", summary);
    };
    std::string scores = tensor({b, heads, rows, items});
    if (!given) {
      auto [query, queryForm] = operand("%q", queryKind, R, heads, queryType, rows, masked && q == k);
      auto [key, keyForm] = operand("%k", keyKind, C, kvHeads, keyType, items, masked);
      body += "%s = sattn.score " + query + ", " + key + " heads " + std::to_string(heads) + " kv_heads " +
              std::to_string(kvHeads) + " : " + queryForm + ", " + keyForm + " -> " + scores + "\n";
    }
    std::string candidates = index(R, {1, 1, rows}, items), selected = index(R, {b, heads, rows}, room);
    if (bands)
      body += "%c = sattn.bands before " + std::to_string(bands->before) + " after " + std::to_string(bands->after) +
              " sinks " + std::to_string(bands->sinks) + sizes + ": " + candidates + "\n";
    body += "%i = sattn.select #sattn.budget<" + budget + "> %s" + (bands ? " among %c" : "") + masking + sizes +
            (sinks ? "sinks " + std::to_string(sinks) + " " : "") +
            (local ? "local " + std::to_string(local) + " " : "") + (causal ? "causal " : "") + ": " + scores +
            (bands ? ", among " + candidates : "") + (masked ? " mask " + maskType : "") + " -> " + selected + "\n";
    std::string last = "%i", stored = selected;
    DimExpr storedRows = rows, storedRoom = room;
    if (joined) {
      storedRows = sattn::rowCount(q, *joined);
      storedRoom = items;
      stored = index(*joined, {b, heads, storedRows}, storedRoom);
      body += "%j = sattn.coarsen %i : " + selected + " -> " + stored + "\n";
      last = "%j";
    }
    std::string result = tensor({b, heads, storedRows, storedRoom + 1}, "i32");
    body += "%t = sattn.store_index " + last + " : " + stored + " -> " + result + "\nreturn %t : " + result + "\n";
    std::string symbols;
    for (const std::string &name : packed ? std::vector<std::string>{batch, "s"} : std::vector{batch, queries, keys})
      if (!expr(name).constant() && symbols.find("\"" + name + "\"") == std::string::npos)
        symbols += (symbols.empty() ? "" : ", ") + ("#model.symbol<\"" + name + "\", 0, 99999>");
    return "func.func @select(" +
           (given    ? "%s: " + scores
            : packed ? "%x: " + allType
                     : "%q: " + queryType + ", %k: " + keyType) +
           (masked ? ", %m: " + maskType : "") + ") -> " + result + " attributes {model.symbols = [" + symbols +
           "]} {\n" + body + "}";
  }
};

class SelectTest : public KernelTest {
protected:
  void compile(const SelectText &select) {
    text = select;
    harness = KernelHarness::create(
        text.str(), target(),
        {[](mlir::func::FuncOp kernel) { return selectLaunch(kernel); },
         [](mlir::func::FuncOp kernel, const CpuTarget &cpu) { return tileSelect(kernel, cpu); }});
    EXPECT_TRUE(harness) << text.str();
  }
  HostTensor floats(llvm::ArrayRef<int64_t> shape, llvm::function_ref<float(int64_t)> value) {
    std::vector<float> numbers;
    for (int64_t i = 0; i < *reference::elementCount(shape); ++i)
      numbers.push_back(value(i));
    return HostTensor::of<float>(mlir::Float32Type::get(harness->context()), shape, numbers);
  }
  /// Multiples of `unit`, which makes means whole numbers. Few of them, so that many scores are equal.
  HostTensor whole(llvm::ArrayRef<int64_t> shape) {
    return floats(shape, [&](int64_t) { return unit * float(int64_t(random() % (2 * range + 1)) - range); });
  }
  HostTensor maskOf(int64_t B, int64_t K, llvm::function_ref<bool(int64_t b, int64_t k)> isKept) {
    std::vector<char> bytes;
    for (int64_t i = 0; i < B * K; ++i)
      bytes.push_back(isKept(i / K, i % K));
    return HostTensor::of<char>(mlir::IntegerType::get(harness->context(), 1), {B, 1, 1, K}, bytes);
  }
  std::vector<HostTensor> operands(int64_t B, int64_t Q, int64_t K) {
    std::vector<HostTensor> inputs;
    if (text.given)
      inputs = {whole({B, text.heads, text.R ? (Q + text.R - 1) / text.R : 1, (K + text.C - 1) / text.C})};
    else if (text.packed)
      inputs = {whole({B, K, (text.heads + text.kvHeads) * text.D})};
    else
      inputs = {whole({B, Q, text.heads * text.D}), whole({B, K, text.kvHeads * text.D})};
    if (text.masked) // the second batch item keeps none, the third the last alone
      inputs.push_back(maskOf(B, K, [&](int64_t b, int64_t k) {
        return b == 1 ? false : b == 2 ? k + 1 == K : random() % 3 != 0;
      }));
    return inputs;
  }
  void check(std::vector<HostTensor> inputs) {
    if (harness)
      harness->expectMatch(inputs, 0, 0);
  }
  void checkSizes(int64_t B, int64_t Q, int64_t K) {
    SCOPED_TRACE("B " + std::to_string(B) + " Q " + std::to_string(Q) + " K " + std::to_string(K) + " budget " +
                 text.budget);
    if (harness)
      check(operands(B, Q, K));
  }

  SelectText text;
  float unit = 1;
  int64_t range = 2;
  std::unique_ptr<KernelHarness> harness;
};

inline const std::pair<const char *, const char *> kBudgets[] = {
    {"count 1.0", "1"},     {"count 5.0", "5"},     {"count 70.0", "70"},    {"fraction 0.3", "k"},
    {"fraction 0.01", "k"}, {"fraction 1.0", "k"},  {"mass 0.613", "k"},     {"mass 0.031", "k"},
    {"share 0.613", "k"},   {"threshold 3.0", "k"}, {"threshold -2.5", "k"}, {"threshold 1.0e300", "k"},
    {"quantile 0.0", "k"},  {"quantile 0.777", "k"}};
// One of each kind.
inline const std::pair<const char *, const char *> kKinds[] = {{"count 5.0", "5"},     {"fraction 0.3", "k"},
                                                               {"mass 0.613", "k"},    {"share 0.613", "k"},
                                                               {"threshold 3.0", "k"}, {"quantile 0.777", "k"}};

} // namespace tamis::test
