// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Policies of precision for the paths of a plan.
#include "lib/driver/BudgetPaths.h"

#include "dialects/model/ModelConstants.h"
#include "dialects/model/ModelDialect.h"
#include "lib/driver/HalfWeights.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/precision/Policy.h"
#include "llvm/Support/JSON.h"
#include <set>

using namespace mlir;
using namespace tamis;

std::vector<BudgetPath> tamis::budgetPaths(ModuleOp module) {
  std::set<std::string> tables;
  if (auto main = module.lookupSymbol<func::FuncOp>("main"))
    for (auto embedding : main.getOps<model::EmbeddingOp>())
      if (Value table = model::layerWeight(embedding))
        if (auto key = model::weightKey(table))
          tables.insert(*key);
  auto policy = [&](StringRef precision) {
    llvm::json::Array rules;
    for (const std::string &key : tables)
      rules.push_back(llvm::json::Object{{"weights", precision::exactly(key)}, {"precision", precision::kUnchanged}});
    std::string text;
    llvm::raw_string_ostream(text) << llvm::json::Value(
        llvm::json::Object{{"default", precision}, {"layers", std::move(rules)}});
    return text;
  };
  return {{"precise", precision::kUnchanged.str()}, {"balanced", policy(kBFloat16)}, {"fast", policy("int8")}};
}
