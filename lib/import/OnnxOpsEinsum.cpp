// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX's Einsum: operands are joined from the left, two at a time, by batched matrix products.
#include "lib/import/OnnxEmit.h"

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
/// A tensor whose axes have labels: letters, and from kEllipsis on the axes of "...", aligned at the last.
struct Labelled {
  Value value;
  SmallVector<int> labels;
  std::optional<size_t> find(int label) const {
    auto it = llvm::find(labels, label);
    return it == labels.end() ? std::nullopt : std::optional<size_t>(it - labels.begin());
  }
  DimExpr size(int label) const { return dimsOf(value)[*find(label)]; }
};

constexpr int kEllipsis = 256;

/// The labels of a term for a tensor of `rank` axes; nothing where they do not fit.
std::optional<SmallVector<int>> labelsOf(StringRef term, int64_t rank) {
  SmallVector<int> labels;
  size_t dots = term.find("...");
  size_t letters = dots == StringRef::npos ? term.size() : term.size() - 3;
  if (int64_t(letters) > rank || (dots == StringRef::npos && int64_t(letters) != rank))
    return std::nullopt;
  for (size_t i = 0; i < term.size(); ++i) {
    if (i == dots) {
      for (int64_t k = rank - int64_t(letters); k-- > 0;)
        labels.push_back(kEllipsis + int(k));
      i += 2;
    } else if (llvm::isAlpha(term[i])) {
      labels.push_back(term[i]);
    } else {
      return std::nullopt;
    }
  }
  return labels;
}

/// Of axes with one label, the elements at equal places.
Labelled takeDiagonals(OnnxNode &node, Labelled x) {
  for (size_t i = 0; i < x.labels.size(); ++i)
    for (size_t k = x.labels.size() - 1; k > i; --k) {
      if (x.labels[k] != x.labels[i])
        continue;
      model::Dims dims = dimsOf(x.value);
      Value isEqual = emitElementwise(
          node, K::equal,
          {emitIota(node, node.i64(), dims[i], i, dims.size()), emitIota(node, node.i64(), dims[k], k, dims.size())});
      Value kept = emitElementwise(node, K::select, {isEqual, x.value, node.splat(elementOf(x.value), 0)});
      x.value = emitSqueeze(node, emitReduce(node, model::ReduceKind::sum, kept, int64_t(k)), k);
      x.labels.erase(x.labels.begin() + k);
    }
  return x;
}

Labelled sumOver(OnnxNode &node, Labelled x, llvm::function_ref<bool(int)> isSummed) {
  for (size_t i = x.labels.size(); i-- > 0;) {
    if (!isSummed(x.labels[i]))
      continue;
    x.value = emitSqueeze(node, emitReduce(node, model::ReduceKind::sum, x.value, int64_t(i)), i);
    x.labels.erase(x.labels.begin() + i);
  }
  return x;
}

/// With axes in the order of `labels`, those it lacks of size one.
Value ordered(OnnxNode &node, const Labelled &x, ArrayRef<int> labels) {
  SmallVector<int64_t> order;
  model::Dims dims;
  for (int label : labels) {
    auto at = x.find(label);
    if (at)
      order.push_back(*at);
    dims.push_back(at ? x.size(label) : DimExpr(1));
  }
  return node.reshape(node.transpose(x.value, order), dims);
}

/// Sums the products over what neither `later` wants nor one operand alone has.
Labelled join(OnnxNode &node, Labelled a, Labelled b, llvm::function_ref<bool(int)> later) {
  a = sumOver(node, std::move(a), [&](int label) { return !b.find(label) && !later(label); });
  b = sumOver(node, std::move(b), [&](int label) { return !a.find(label) && !later(label); });
  SmallVector<int> batch, left, right, inner;
  for (int label : a.labels)
    (!b.find(label) ? left : later(label) ? batch : inner).push_back(label);
  for (int label : b.labels)
    if (!a.find(label))
      right.push_back(label);
  // Sizes of one repeat, which a matrix product does not do for inner axes; integers have no matrix product.
  auto isPlain = [&](int label) { return a.size(label) == b.size(label); };
  Labelled result;
  result.labels = batch;
  result.labels.append(left);
  result.labels.append(right);
  if (!isa<FloatType>(elementOf(a.value)) || inner.empty() || !llvm::all_of(batch, isPlain) ||
      !llvm::all_of(inner, isPlain)) {
    SmallVector<int> all = result.labels;
    all.append(inner);
    Labelled product{emitElementwise(node, K::mul, {ordered(node, a, all), ordered(node, b, all)}), all};
    return sumOver(node, product, [&](int label) { return llvm::is_contained(inner, label); });
  }
  auto sizeOf = [&](const Labelled &x, ArrayRef<int> labels) {
    DimExpr size(1);
    for (int label : labels)
      size = size * x.size(label);
    return size;
  };
  auto inOrder = [&](const Labelled &x, ArrayRef<int> first, ArrayRef<int> second) {
    SmallVector<int> labels(batch);
    labels.append(first.begin(), first.end());
    labels.append(second.begin(), second.end());
    return node.reshape(ordered(node, x, labels), {sizeOf(x, batch), sizeOf(x, first), sizeOf(x, second)});
  };
  model::Dims dims;
  for (int label : batch)
    dims.push_back(a.size(label));
  for (int label : left)
    dims.push_back(a.size(label));
  for (int label : right)
    dims.push_back(b.size(label));
  auto type = model::tensorType(elementOf(a.value), {sizeOf(a, batch), sizeOf(a, left), sizeOf(b, right)});
  Value product = node.create<model::MatmulOp>(type, inOrder(a, left, inner), inOrder(b, inner, right));
  result.value = node.reshape(product, dims);
  return result;
}

LogicalResult importEinsum(OnnxNode &node) {
  std::string equation;
  for (char c : node.text("equation", ""))
    if (c != ' ')
      equation += c;
  auto [inputs, output] = StringRef(equation).split("->");
  SmallVector<StringRef> terms;
  inputs.split(terms, ',');
  if (terms.size() != node.size() || !node.hasAll())
    return node.fail("equation '" + equation + "' is not of " + Twine(node.size()) + " operands");
  std::vector<Labelled> operands;
  llvm::DenseMap<int, DimExpr> sizes;
  SmallVector<int> order; // of first appearance
  llvm::DenseMap<int, int> uses;
  for (size_t i = 0; i < terms.size(); ++i) {
    auto labels = labelsOf(terms[i], node.in(i).rank());
    if (!labels || node.in(i).element != node.in(0).element || node.in(i).isBool())
      return node.fail("term '" + terms[i] + "' does not fit " + model::str(node.in(i).dims));
    for (auto [axis, label] : llvm::enumerate(*labels)) {
      const DimExpr &dim = node.in(i).dims[axis];
      auto [it, isNew] = sizes.try_emplace(label, dim);
      ++uses[label];
      if (isNew)
        order.push_back(label);
      else if (it->second.isConstant(1) && label >= kEllipsis)
        it->second = dim;
      else if (!(dim.isConstant(1) && label >= kEllipsis) && failed(node.meet(it->second, dim)))
        return failure();
    }
    operands.push_back(takeDiagonals(node, {node.emit(i), *labels}));
  }
  SmallVector<int> wanted;
  if (equation.find("->") == std::string::npos) { // all of "...", then letters that come once, by the alphabet
    llvm::sort(order);
    for (int label : llvm::reverse(order))
      if (label >= kEllipsis)
        wanted.push_back(label);
    for (int label : order)
      if (label < kEllipsis && uses[label] == 1)
        wanted.push_back(label);
  } else {
    int64_t dots = llvm::count_if(order, [](int label) { return label >= kEllipsis; });
    int64_t letters = output.contains("...") ? output.size() - 3 + dots : output.size();
    auto labels = labelsOf(output, letters);
    if (!labels || llvm::any_of(*labels, [&](int label) { return !sizes.count(label); }))
      return node.fail("result '" + output + "' has labels that no operand has");
    wanted = *labels;
  }
  Labelled result = operands[0];
  for (size_t i = 1; i < operands.size(); ++i) {
    auto later = [&](int label) {
      return llvm::is_contained(wanted, label) ||
             llvm::any_of(ArrayRef(operands).drop_front(i + 1), [&](const Labelled &x) { return x.find(label); });
    };
    result = join(node, result, operands[i], later);
  }
  result = sumOver(node, result, [&](int label) { return !llvm::is_contained(wanted, label); });
  return node.give(ordered(node, result, wanted));
}
} // namespace

void tamis::addOnnxEinsumOps(OnnxOpTable &table) {
  table["Einsum"] = importEinsum;
}
