// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What sattn.attend reads, worked out by hand: unions, heads, masks, rows without keys.
#include "test/reference/SparseOpsFixture.h"

using namespace tamis::reference;
using testing::HasSubstr;

namespace {
/// Attention over indices that come as tensors. With queries of zero a row gives the mean of the values it reads.
class Attend : public SparseOpsFixture {
protected:
  struct Given {
    Index index;
    std::vector<Items> rows;
  };
  struct Call {
    std::string body, result;
    std::vector<HostTensor> inputs;
  };
  Call call(const HostTensor &q, const HostTensor &k, const HostTensor &v, const std::vector<Given> &indices,
            int64_t heads, int64_t kvHeads, const std::string &options, std::optional<HostTensor> mask,
            const std::string &full) {
    std::vector<HostTensor> inputs{q, k, v};
    std::string loads, names, types;
    for (auto [i, given] : llvm::enumerate(indices)) {
      std::string name = "%i" + std::to_string(i), type = given.index.type();
      loads += name + " = sattn.load_index %" + char('d' + i) + " : " + given.index.storage() + " -> " + type + "\n";
      names += (i ? ", " : "") + name;
      types += (i ? ", " : "") + type;
      inputs.push_back(stored(given.index, given.rows));
    }
    std::string maskName, maskType;
    if (mask) {
      maskName = std::string(" mask %") + char('a' + inputs.size());
      maskType = " mask " + typeOf(*mask);
      inputs.push_back(*mask);
    }
    HostTensor like = HostTensor::zeros(q.element, {q.shape[0], q.shape[1], v.shape[2] / kvHeads * heads});
    return {loads + "%r = sattn.attend %a, %b, %c over " + names + full + maskName + " heads " + std::to_string(heads) +
                " kv_heads " + std::to_string(kvHeads) + " scale 1.0 " + options + " : " + typeOf(q) + ", " +
                typeOf(k) + ", " + typeOf(v) + ", over " + types + maskType + " -> " + typeOf(like),
            typeOf(like), inputs};
  }
  HostTensor attend(const HostTensor &q, const HostTensor &k, const HostTensor &v, const std::vector<Given> &indices,
                    int64_t heads = 1, int64_t kvHeads = 1, const std::string &options = "",
                    std::optional<HostTensor> mask = std::nullopt, const std::string &full = "") {
    Call made = call(q, k, v, indices, heads, kvHeads, options, mask, full);
    return run(made.body, made.result, made.inputs);
  }
  HostTensor zeros(int64_t batch, int64_t tokens, int64_t width = 1) {
    return HostTensor::zeros(type("f64"), {batch, tokens, width});
  }
};

TEST_F(Attend, WeightsAreTheSoftmaxOfWhatIsKept) {
  HostTensor q = tensor("f64", {1, 1, 1}, {1}),
             k = tensor("f64", {1, 4, 1}, {std::log(1), std::log(2), 50, std::log(3)});
  HostTensor v = tensor("f64", {1, 4, 1}, {10, 20, kNan, 40}); // of a key that is not read it may be anything
  expectNumbers(attend(q, k, v, {{{1, 1, {1, 1, 1}, 4, 3}, {{0, 1, 3}}}}), {(10 + 2 * 20 + 3 * 40) / 6.0}, 1e-12);
}

TEST_F(Attend, UnionOfIndices) {
  HostTensor q = zeros(1, 3), v = tensor("f64", {1, 3, 1}, {1, 10, 100});
  Given rows{{1, 1, {1, 1, 3}, 3, 2}, {{0}, {1}, {}}}, all{{0, 1, {1, 1, 1}, 3, 1}, {{0}}};
  Given blocks{{2, 2, {1, 1, 2}, 2, 1}, {{1}, {}}};
  expectNumbers(attend(q, q, v, {rows, all}), {1, 5.5, 1}, 1e-12); // key 0 of row 0 is in both, and counts once
  expectNumbers(attend(q, q, v, {rows, blocks}), {50.5, 55, 0}, 1e-12);
  expectNumbers(attend(q, q, v, {blocks}), {100, 100, 0}, 1e-12); // the last block is one key
  expectNumbers(attend(q, q, v, {{{1, 1, {1, 1, 3}, 3, 3}, {{2, 0}, {1, 1, 0}, {2}}}}), {50.5, 5.5, 100}, 1e-12);
}

TEST_F(Attend, HeadsAndBatchItemsOfAnIndex) {
  // Four heads over two; heads 0 and 1 read head 0 of the index, 2 and 3 head 1.
  HostTensor q = zeros(1, 1, 4), k = zeros(1, 3, 2), v = tensor("f64", {1, 3, 2}, {1, 2, 10, 20, 100, 200});
  expectNumbers(attend(q, k, v, {{{1, 1, {1, 2, 1}, 3, 2}, {{0}, {1, 2}}}}, 4, 2), {1, 1, 110, 110}, 1e-12);
  expectNumbers(attend(q, k, v, {{{1, 1, {1, 4, 1}, 3, 2}, {{0}, {1}, {2}, {0, 1}}}}, 4, 2), {1, 10, 200, 11}, 1e-12);
  // One batch item of the index for both.
  HostTensor q2 = zeros(2, 1), v2 = tensor("f64", {2, 3, 1}, {1, 2, 3, 4, 5, 6});
  expectNumbers(attend(q2, zeros(2, 3), v2, {{{1, 1, {1, 1, 1}, 3, 2}, {{0, 2}}}}), {2, 5}, 1e-12);
  expectNumbers(attend(q2, zeros(2, 3), v2, {{{1, 1, {2, 1, 1}, 3, 2}, {{0}, {1}}}}), {1, 5}, 1e-12);
}

TEST_F(Attend, CausalOrderAndMasks) {
  HostTensor q = zeros(1, 3), v = tensor("f64", {1, 3, 1}, {1, 10, 100});
  Given all{{0, 3, {1, 1, 1}, 1, 1}, {{0}}};
  expectNumbers(attend(q, q, v, {all}, 1, 1, "causal"), {1, 5.5, 37}, 1e-12);
  expectNumbers(attend(q, q, v, {all}, 1, 1, "causal", tensor("i1", {1, 1, 1, 3}, {0, 1, 1})), {0, 10, 55}, 1e-12);
  expectNumbers(attend(q, q, v, {all}, 1, 1, "", tensor("f64", {1, 1, 1, 3}, {std::log(2), 0, -kInf})), {4, 4, 4},
                1e-12);
  expectNumbers(attend(q, q, v, {all}, 1, 1, "", tensor("f64", {1, 1, 1, 3}, {0, 0, -3.4e38})), {5.5, 5.5, 5.5}, 1e-12);
  // Two queries of three keys stand at 1 and 2.
  expectNumbers(attend(zeros(1, 2), q, v, {all}, 1, 1, "causal"), {5.5, 37}, 1e-12);
}

TEST_F(Attend, FullItems) {
  HostTensor q = zeros(1, 2), v = tensor("f64", {1, 4, 1}, {1, 10, 100, 1000});
  HostTensor mask = tensor("f64", {1, 1, 2, 4}, {0, 0, -kInf, 0, 0, 0, 0, -kInf});
  Given some{{1, 2, {1, 1, 2}, 2, 1}, {{1}, {1}}}, full{{2, 2, {1, 1, 1}, 2, 1}, {{0}}};
  HostTensor plain = attend(q, zeros(1, 4), v, {some, full}, 1, 1, "", mask);
  expectNumbers(plain, {1011 / 3.0, 37}, 1e-12);
  expectNumbers(attend(q, zeros(1, 4), v, {some, full}, 1, 1, "", mask, " full [1]"), plain.numbers(), 0);
  expectNumbers(attend(q, zeros(1, 4), v, {full}, 1, 1, "causal", mask, " full [0]"), {5.5, 5.5}, 1e-12);
}

TEST_F(Attend, ItemsThatAreNotFull) {
  HostTensor q = zeros(1, 2), k = zeros(1, 4);
  Given first{{2, 2, {1, 1, 1}, 2, 1}, {{0}}}, second{{2, 2, {1, 1, 1}, 2, 1}, {{1}}};
  auto expectRefused = [&](const Given &given, const std::string &options, std::optional<HostTensor> mask,
                           const std::string &pair) {
    Call made = call(q, k, k, {given}, 1, 1, options, mask, " full [0]");
    EXPECT_THAT(errorOf(made.body, made.result, made.inputs), HasSubstr("found the pair of " + pair + " in a full"));
  };
  expectRefused(second, "causal", std::nullopt, "query 0 and key 3");
  expectRefused(first, "", tensor("i1", {1, 1, 2, 4}, {1, 1, 1, 1, 1, 0, 1, 1}), "query 1 and key 1");
  expectRefused(first, "", tensor("f64", {1, 1, 1, 4}, {0.5, 0, 0, 0}), "query 1 and key 0");
}

TEST_F(Attend, EmptyRows) {
  HostTensor q = zeros(1, 2), v = tensor("f64", {1, 2, 1}, {kNan, kInf});
  expectNumbers(attend(q, q, v, {{{1, 1, {1, 1, 2}, 2, 1}, {{}, {}}}}), {0, 0});
  expectNumbers(attend(q, zeros(1, 0), zeros(1, 0), {{{1, 1, {1, 1, 2}, 0, 0}, {{}, {}}}}), {0, 0});
  expectNumbers(attend(zeros(1, 0), q, v, {{{1, 1, {1, 1, 0}, 2, 1}, {}}}), {});
}

// Queries and keys of one column each; elu1(1) = 2, elu1(0) = 1, elu1(-ln 4) = 1/4.
TEST_F(Attend, LinearWeightsAreProductsOfFeatures) {
  auto linear = [&](const std::string &feature, const std::string &options, std::vector<double> mask) {
    HostTensor q = tensor("f64", {1, 2, 1}, {5, -3}), k = tensor("f64", {1, 3, 1}, {1, 0, -std::log(4)});
    HostTensor v = tensor("f64", {1, 3, 1}, {10, 20, 40});
    std::vector<HostTensor> inputs{q, k, v};
    if (!mask.empty())
      inputs.push_back(tensor("f64", {1, 1, 1, 3}, mask));
    return run("%r = sattn.linear_attend " + feature + " %a, %b, %c" + (mask.empty() ? "" : " mask %d") +
                   " heads 1 kv_heads 1" + options + " : " + typeOf(q) + ", " + typeOf(k) + ", " + typeOf(v) +
                   (mask.empty() ? "" : ", " + typeOf(inputs.back())) + " -> " + typeOf(q),
               typeOf(q), inputs);
  };
  double all = (2 * 10 + 20 + 0.25 * 40) / 3.25;
  expectNumbers(linear("elu1", "", {}), {all, all}, 1e-12);
  expectNumbers(linear("elu1", " causal", {}), {40 / 3.0, all}, 1e-12);
  expectNumbers(linear("elu1", "", {-kInf, 0, std::log(8)}), {100 / 3.0, 100 / 3.0}, 1e-12);
  expectNumbers(linear("elu1", " causal", {-kInf, -1e30, 0}), {0, 40}, 1e-12);
  expectNumbers(linear("relu", "", {}), {10, 0}, 1e-12); // a query without features reads nothing
}
} // namespace
