// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Partial results of attention: what merging them gives is attention over all keys that they read.
#include "test/reference/SparseOpsFixture.h"
#include <cmath>
#include <random>

using namespace tamis::reference;

namespace {
class Partial : public SparseOpsFixture {
protected:
  static constexpr int64_t kBatch = 2, kHeads = 4, kKeyHeads = 2, kQueries = 5, kKeys = 9, kWidth = 3, kValueWidth = 2;

  std::vector<double> numbers(int64_t count) {
    std::vector<double> values(count);
    for (double &value : values)
      value = std::normal_distribution<>()(generator);
    return values;
  }
  std::string attend(const std::string &index, const std::string &result) {
    return "sattn.attend %a, %b, %c over " + index +
           " mask %d heads 4 kv_heads 2 scale 0.7 causal : tensor<2x5x12xf32>, tensor<2x9x6xf32>, tensor<2x9x4xf32>, "
           "over " +
           all.type() + " mask tensor<2x1x1x9xf32> -> " + result + "\n";
  }
  std::string load(const std::string &name, const std::string &argument) {
    return name + " = sattn.load_index " + argument + " : " + all.storage() + " -> " + all.type() + "\n";
  }

  /// Each key of a row is in one part, or in none.
  std::vector<HostTensor> partition(size_t parts, std::vector<Items> &whole) {
    std::vector<std::vector<Items>> rows(parts, std::vector<Items>(kQueries));
    whole.assign(kQueries, {});
    for (int64_t q = 0; q < kQueries; ++q)
      for (int64_t k = 0; k < kKeys; ++k) {
        size_t part = generator() % (parts + 1);
        if (part == parts || (q == 2 && part == 0)) // and one row of one part is empty
          continue;
        rows[part][q].push_back(k);
        whole[q].push_back(k);
      }
    std::vector<HostTensor> stores;
    for (const auto &part : rows)
      stores.push_back(stored(all, part));
    return stores;
  }

  Index all{1, 1, {1, 1, kQueries}, kKeys, kKeys};
  std::string partial = "!sattn.partial<[\"2\", \"4\", \"5\", \"2\"]>", tensorType = "tensor<2x5x8xf32>";
  std::mt19937 generator{3};
};

TEST_F(Partial, MergingIsAttentionOverTheUnion) {
  for (int round = 0; round < 30; ++round) {
    std::vector<double> mask(kBatch * kKeys);
    for (double &added : mask)
      added = generator() % 4 ? 0.5 * (generator() % 5) : -kInf;
    std::vector<HostTensor> inputs{tensor("f32", {kBatch, kQueries, kHeads * kWidth}, numbers(120)),
                                   tensor("f32", {kBatch, kKeys, kKeyHeads * kWidth}, numbers(108)),
                                   tensor("f32", {kBatch, kKeys, kKeyHeads * kValueWidth}, numbers(72)),
                                   tensor("f32", {kBatch, 1, 1, kKeys}, mask)};
    std::vector<Items> rows;
    std::vector<HostTensor> parts = partition(3, rows), one = inputs, three = inputs;
    one.push_back(stored(all, rows));
    three.insert(three.end(), parts.begin(), parts.end());
    HostTensor wanted = run(load("%i", "%e") + "%r = " + attend("%i", tensorType), tensorType, one);
    std::string attends = load("%i", "%e") + load("%j", "%f") + load("%k", "%g") + "%x = " + attend("%i", partial) +
                          "%y = " + attend("%j", partial) + "%z = " + attend("%k", partial);
    std::string types = partial + ", " + partial;
    expectNumbers(run(attends + "%r = sattn.merge %x, %y, %z : " + types + ", " + partial + " -> " + tensorType,
                      tensorType, three),
                  wanted.numbers(), 1e-6);
    // In two steps, and by way of memory.
    std::string storage = "tensor<2x4x5x3xf32>";
    expectNumbers(run(attends + "%m = sattn.merge %x, %y : " + types + " -> " + partial +
                          "\n%s = sattn.store_partial %m : " + partial + " -> " + storage +
                          "\n%n = sattn.load_partial %s : " + storage + " -> " + partial +
                          "\n%r = sattn.merge %z, %n : " + types + " -> " + tensorType,
                      tensorType, three),
                  wanted.numbers(), 1e-6);
  }
}

// Scores ln 1, ln 2 and ln 3.
TEST_F(Partial, LogarithmOfSums) {
  HostTensor q = tensor("f32", {1, 3, 1}, {1, 1, 1}),
             k = tensor("f32", {1, 3, 1}, {std::log(1), std::log(2), std::log(3)});
  HostTensor v = tensor("f32", {1, 3, 1}, {10, 20, 30});
  Index index{1, 1, {1, 1, 3}, 3, 3};
  std::string type = "!sattn.partial<[\"1\", \"1\", \"3\", \"1\"]>", storage = "tensor<1x1x3x2xf32>";
  HostTensor found = run("%i = sattn.load_index %d : " + index.storage() + " -> " + index.type() +
                             "\n%p = sattn.attend %a, %b, %c over %i heads 1 kv_heads 1 scale 1.0 : " + typeOf(q) +
                             ", " + typeOf(k) + ", " + typeOf(v) + ", over " + index.type() + " -> " + type +
                             "\n%r = sattn.store_partial %p : " + type + " -> " + storage,
                         storage, {q, k, v, stored(index, {{0, 1, 2}, {}, {2}})});
  expectNumbers(found, {140 / 6.0, std::log(6), 0, -kInf, 30, std::log(3)}, 1e-6);
}
} // namespace
