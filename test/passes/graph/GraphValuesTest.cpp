// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every function of the phase's lit tests and of the dialect's folds, evaluated before and after: forms are for
// FileCheck, values decide.
#include "dialects/model/ModelShapes.h"
#include "lib/reference/Evaluator.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "passes/graph/Passes.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

using namespace mlir;
using namespace tamis;
using namespace tamis::reference;

namespace {
constexpr const char *kFolders[] = {TAMIS_SOURCE_DIR "/test/passes/graph", TAMIS_SOURCE_DIR "/test/dialects/model"};

std::vector<std::string> testFiles() {
  std::vector<std::string> files;
  for (const char *folder : kFolders)
    for (const auto &entry : std::filesystem::directory_iterator(folder)) {
      std::string name = entry.path().filename().string();
      bool folds = name.rfind("canonicalize", 0) == 0;
      if (entry.path().extension() == ".mlir" && (folder == kFolders[0] || folds))
        files.push_back(entry.path().string());
    }
  std::sort(files.begin(), files.end());
  return files;
}

/// The passes of the file's RUN line, comma-separated.
std::string passesOf(const std::string &file) {
  std::ifstream stream(file);
  std::string line, passes;
  std::getline(stream, line);
  std::istringstream words(line.substr(0, line.find('|')));
  for (std::string word; words >> word;)
    if (word.size() > 1 && word[0] == '-' && word.rfind("-mlir", 0) != 0)
      passes += (passes.empty() ? "" : ",") + word.substr(1);
  return passes;
}

class GraphValues : public testing::TestWithParam<std::string> {
protected:
  GraphValues() {
    context.loadDialect<model::ModelDialect, func::FuncDialect>();
    static const bool registered = [] {
      registerTransformsPasses();
      graph::registerGraphPasses();
      return true;
    }();
    EXPECT_TRUE(registered);
  }

  /// Random numbers for a tensor. Integers are 0 or 1, which are valid ids and masks; the first row of integers and
  /// bools of rank 2 and more is all zero (a mask that keeps nothing), the second all one.
  HostTensor random(Type type, const std::vector<int64_t> &shape) {
    auto tensor = cast<RankedTensorType>(type);
    int64_t count = *elementCount(shape), row = shape.size() < 2 || shape[0] == 0 ? 0 : count / shape[0];
    std::vector<double> values(count);
    bool isFloat = isa<FloatType>(tensor.getElementType());
    for (int64_t i = 0; i < count; ++i) {
      values[i] = isFloat ? std::normal_distribution<>()(generator) : double(generator() & 1);
      if (!isFloat && row && i / row < 2)
        values[i] = double(i / row);
    }
    return HostTensor::ofNumbers(tensor.getElementType(), shape, values);
  }

  void addWeights(ModuleOp module) {
    module.walk([&](model::WeightOp op) {
      auto type = cast<RankedTensorType>(op.getType());
      std::string key = op.getKey().str() + " ";
      llvm::raw_string_ostream(key) << type;
      op.setKey(key); // tests use one name for many weights
      if (weights.find(key))
        return;
      HostTensor values = random(type, std::vector<int64_t>(type.getShape()));
      llvm::ArrayRef<char> kept = weights.keep(values.bytes);
      if (auto error = weights.add(key, type, kept))
        ADD_FAILURE() << llvm::toString(std::move(error));
    });
  }

  /// Inputs of sizes that follow from `values`, taken in turn by the symbols in order of appearance.
  std::optional<std::vector<HostTensor>> inputsOf(func::FuncOp function, llvm::ArrayRef<int64_t> values) {
    llvm::StringMap<int64_t> sizes;
    for (const model::Symbol &symbol : model::symbolsOf(function))
      sizes[symbol.name] = std::clamp(values[sizes.size() % values.size()], symbol.min, symbol.max);
    std::vector<HostTensor> inputs;
    for (Type type : function.getArgumentTypes()) {
      std::vector<int64_t> shape;
      for (const DimExpr &dim : model::dimsOf(type)) {
        llvm::StringSet<> names;
        dim.collectSymbols(names);
        for (const auto &name : names)
          sizes.try_emplace(name.getKey(), values[sizes.size() % values.size()]);
        auto size = dim.evaluate([&](llvm::StringRef name) { return std::optional(sizes.lookup(name)); });
        if (!size)
          return std::nullopt;
        shape.push_back(*size);
      }
      inputs.push_back(random(type, shape));
    }
    return inputs;
  }

  void run(ModuleOp module, const std::string &pipeline) {
    PassManager manager(&context);
    std::string errors;
    llvm::raw_string_ostream stream(errors);
    ASSERT_TRUE(succeeded(parsePassPipeline(pipeline, manager, stream))) << errors;
    ASSERT_TRUE(succeeded(manager.run(module)));
  }

  MLIRContext context;
  WeightStore weights;
  std::mt19937 generator{7};
};

/// Values of 16 bits between ops are of f32 afterwards: what a function gives is as far off as its narrowest type
/// rounds, some times over.
double toleranceOf(func::FuncOp function) {
  double tolerance = 2e-5;
  auto look = [&](Type type) {
    Type element = getElementTypeOrSelf(type);
    tolerance = std::max(tolerance, element.isBF16() ? 0x1p-6 : element.isF16() ? 0x1p-9 : 0);
  };
  function.walk([&](Operation *op) { llvm::for_each(op->getResultTypes(), look); });
  llvm::for_each(function.getArgumentTypes(), look);
  return tolerance;
}

/// Rounding differs, as sums are ordered anew and factors merged. NaN may become a number only where attention gives
/// the zeros of rows without keys.
void expectClose(const HostTensor &before, const HostTensor &after, double tolerance) {
  ASSERT_EQ(before.shape, after.shape);
  ASSERT_EQ(before.element, after.element);
  std::vector<double> wanted = before.numbers(), found = after.numbers();
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (std::isnan(wanted[i]))
      EXPECT_TRUE(std::isnan(found[i]) || found[i] == 0) << "element " << i;
    else if (wanted[i] != found[i])
      EXPECT_NEAR(wanted[i], found[i], tolerance * std::max(1.0, std::fabs(wanted[i]))) << "element " << i;
  }
}

TEST_P(GraphValues, AreKept) {
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(GetParam(), &context);
  ASSERT_TRUE(module);
  addWeights(*module);
  std::string passes = passesOf(GetParam());
  bool wholePhase = passes == "tamis-graph";
  int evaluated = 0;
  for (const std::string &pipeline : {wholePhase ? passes : "func.func(" + passes + ")", std::string("tamis-graph")}) {
    OwningOpRef<ModuleOp> changed = module->clone();
    run(*changed, pipeline);
    for (auto before : module->getOps<func::FuncOp>()) {
      auto after = changed->lookupSymbol<func::FuncOp>(before.getName());
      // One, odd and even sizes, equal and different; zero where the symbol's range allows.
      for (const auto &sizes :
           std::vector<std::vector<int64_t>>{{1, 1}, {2, 3}, {3, 5}, {4, 4}, {3, 8}, {5, 1}, {0, 2}}) {
        auto inputs = inputsOf(before, sizes);
        if (!inputs)
          continue;
        auto wanted = evaluate(before, *inputs, weights);
        auto found = evaluate(after, *inputs, weights);
        SCOPED_TRACE(before.getName().str() + " at sizes " + std::to_string(sizes.front()) + ", " +
                     std::to_string(sizes.back()) + " after " + pipeline);
        if (!wanted) { // an error must stay one
          llvm::consumeError(wanted.takeError());
          EXPECT_FALSE(bool(found)) << "the error of the run is gone";
          llvm::consumeError(found.takeError());
          continue;
        }
        ASSERT_TRUE(bool(found)) << llvm::toString(found.takeError());
        ASSERT_EQ(wanted->size(), found->size());
        for (size_t i = 0; i < wanted->size(); ++i)
          expectClose((*wanted)[i], (*found)[i], toleranceOf(before));
        ++evaluated;
      }
    }
  }
  EXPECT_GT(evaluated, 0);
}

std::string testName(const testing::TestParamInfo<std::string> &info) {
  std::string name = std::filesystem::path(info.param).stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Files, GraphValues, testing::ValuesIn(testFiles()), testName);
} // namespace
