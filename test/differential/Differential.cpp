// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random graphs, compiled and run at random sizes, against the reference evaluator. A case is one run.
//
//   differential [--cases=N] [--seed=N] [--seconds=N]
//
// Ends with 1 at the first case that departs, and prints its graph, sizes and the phase after which the graph means
// something else. Seeds of graphs follow each other: `--seed=S --cases=1` repeats one.
#include "dialects/model/ModelDialect.h"
#include "lib/driver/HostPlan.h"
#include "lib/driver/Pipeline.h"
#include "lib/driver/Register.h"
#include "lib/reference/Evaluator.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "test/differential/GraphMaker.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;
using reference::HostTensor;

/// Runs of one graph.
static constexpr int64_t kRuns = 12;

namespace {
/// One graph, and what went wrong with it.
class Case {
public:
  Case(MLIRContext *context, uint64_t seed)
      : context(context), random(seed), graph(symbolsOf(random)), seed(seed),
        handler(context, [&](Diagnostic &diagnostic) {
          messages += diagnostic.str() + "\n";
          return success();
        }) {
    GraphMaker(graph, random, weights, context).make(random.between(1, 12));
    text = graph.finish();
  }

  /// Nothing when every run agrees; else what does not, for people.
  std::optional<std::string> run();
  const std::string &source() const { return text; }
  bool isEmpty() const { return graph.outputs.empty(); }

private:
  static std::vector<GraphSymbol> symbolsOf(Random &random);
  HostTensor inputOf(const GraphValue &value, const llvm::StringMap<int64_t> &sizes);
  std::optional<std::string> runOnce(tamis::Context &context, func::FuncOp function, bool largest);
  std::string compare(const HostTensor &found, const HostTensor &wanted, const GraphValue &value);
  std::string departure(ArrayRef<HostTensor> inputs, ArrayRef<HostTensor> wanted);

  MLIRContext *context;
  Random random;
  WeightStore weights;
  GraphWriter graph;
  uint64_t seed;
  std::string text, messages;
  ScopedDiagnosticHandler handler;
  OwningOpRef<ModuleOp> original, raised;
};
} // namespace

std::vector<GraphSymbol> Case::symbolsOf(Random &random) {
  std::vector<GraphSymbol> symbols;
  if (!random.oneIn(4))
    symbols.push_back({"batch", random.below(2), 3});
  if (!random.oneIn(6))
    symbols.push_back({"sequence", random.below(2), random.of<int64_t>({5, 17, 40, 70})});
  return symbols;
}

HostTensor Case::inputOf(const GraphValue &value, const llvm::StringMap<int64_t> &sizes) {
  llvm::SmallVector<int64_t> shape;
  for (const DimExpr &dim : value.dims)
    shape.push_back(*dim.evaluate([&](StringRef name) { return std::optional(sizes.lookup(name)); }));
  std::vector<double> numbers(size_t(*reference::elementCount(shape)));
  bool coarse = random.oneIn(4); // many are equal
  for (double &number : numbers) {
    if (value.isFloat())
      number = coarse ? double(random.between(-2, 2)) : double(random.between(-2000, 2000)) / 1000;
    else if (value.indexes)
      number = double(random.between(-value.indexes, value.indexes - 1));
    else
      number = value.element == "i1" ? double(random.below(2)) : double(random.between(-100, 100));
  }
  Type element = mlir::parseType(value.element, context);
  if (value.isFloat())
    return HostTensor::ofNumbers(element, shape, numbers);
  HostTensor tensor = HostTensor::zeros(element, shape);
  reference::writeIntegers(tensor, std::vector<int64_t>(numbers.begin(), numbers.end()));
  return tensor;
}

std::string Case::compare(const HostTensor &found, const HostTensor &wanted, const GraphValue &value) {
  if (found.shape != wanted.shape)
    return "sizes are wrong";
  std::vector<double> f = found.numbers(), w = wanted.numbers();
  for (size_t i = 0; i < w.size(); ++i)
    if (f[i] != w[i] && !(std::isnan(f[i]) && std::isnan(w[i])) && !(std::abs(f[i] - w[i]) <= value.error))
      return "element " + std::to_string(i) + " is " + std::to_string(f[i]) + " but " + std::to_string(w[i]) +
             " is wanted, within " + std::to_string(value.error);
  return "";
}

/// Which graph is the first that means something else.
std::string Case::departure(ArrayRef<HostTensor> inputs, ArrayRef<HostTensor> wanted) {
  auto found = reference::evaluate(*raised->getOps<func::FuncOp>().begin(), inputs, weights);
  if (!found)
    return "the graph after its phase cannot be evaluated: " + llvm::toString(found.takeError());
  for (auto [number, output] : llvm::enumerate(graph.outputs))
    if (!compare((*found)[number], wanted[number], graph.values[output]).empty()) {
      std::string ir;
      llvm::raw_string_ostream(ir) << *raised;
      return "the graph phase changed its meaning:\n" + ir;
    }
  return "the graph phase kept its meaning, code generation did not";
}

std::optional<std::string> Case::runOnce(tamis::Context &run, func::FuncOp function, bool largest) {
  llvm::StringMap<int64_t> sizes;
  std::string shown;
  for (const GraphSymbol &symbol : graph.symbols) {
    sizes[symbol.name] = largest           ? symbol.most
                         : random.oneIn(4) ? symbol.least
                                           : random.between(symbol.least, symbol.most);
    shown += " " + symbol.name + "=" + std::to_string(sizes[symbol.name]);
  }
  std::vector<HostTensor> inputs;
  std::vector<Tensor> tensors;
  for (size_t input : graph.inputs)
    inputs.push_back(inputOf(graph.values[input], sizes));
  static const llvm::StringMap<tamis_element_type> kTypes{{"f32", TAMIS_F32}, {"f64", TAMIS_F64}, {"f16", TAMIS_F16},
                                                          {"i64", TAMIS_I64}, {"i32", TAMIS_I32}, {"i8", TAMIS_I8},
                                                          {"ui8", TAMIS_U8},  {"i1", TAMIS_BOOL}};
  for (auto [number, input] : llvm::enumerate(graph.inputs))
    tensors.push_back(Tensor(kTypes.at(graph.values[input].element), inputs[number].bytes.data(),
                             std::vector<int64_t>(inputs[number].shape.begin(), inputs[number].shape.end())));
  auto wanted = reference::evaluate(function, inputs, weights);
  if (!wanted)
    return "the evaluator refuses it:" + shown + ": " + llvm::toString(wanted.takeError());
  auto outputs = run.run(tensors);
  if (!outputs)
    return "the plan refuses" + shown + ": " + outputs.error().message();
  for (auto [number, output] : llvm::enumerate(graph.outputs)) {
    const Tensor &tensor = (*outputs)[number];
    HostTensor found{
        (*wanted)[number].element, llvm::SmallVector<int64_t>(llvm::ArrayRef(tensor.dims())),
        std::vector<char>(static_cast<char *>(tensor.data()), static_cast<char *>(tensor.data()) + tensor.bytes())};
    std::string wrong = compare(found, (*wanted)[number], graph.values[output]);
    if (!wrong.empty())
      return "with" + shown + ", output " + std::to_string(number) + ": " + wrong + "\n" + departure(inputs, *wanted);
  }
  return std::nullopt;
}

std::optional<std::string> Case::run() {
  original = parseSourceString<ModuleOp>(text, context);
  if (!original)
    return "the graph is refused: " + messages;
  raised = original->clone();
  PassManager manager(context);
  addGraphPhase(manager);
  addSparsifyPhase(manager, "");
  if (failed(manager.run(*raised)))
    return "the graph phase fails: " + messages;
  OwningOpRef<ModuleOp> compiled = raised->clone();
  auto plan = planForHost(*compiled, weights);
  if (failed(plan))
    return "it does not compile: " + messages;
  auto runner = plan->context();
  if (!runner)
    return runner.error().message();
  for (int64_t i = 0; i < kRuns; ++i)
    if (auto wrong = runOnce(*runner, *original->getOps<func::FuncOp>().begin(), i == 0))
      return wrong;
  return std::nullopt;
}

/// The number behind `--NAME=`, in any of the arguments.
static int64_t option(ArrayRef<char *> arguments, StringRef name, int64_t otherwise) {
  for (StringRef argument : arguments)
    if (argument.consume_front("--") && argument.consume_front(name) && argument.consume_front("="))
      if (argument.getAsInteger(10, otherwise))
        llvm::report_fatal_error("--" + name + " wants a number", /*gen_crash_diag=*/false);
  return otherwise;
}

int main(int argc, char **argv) {
  ArrayRef<char *> arguments(argv + 1, size_t(argc - 1));
  int64_t cases = option(arguments, "cases", 2400), seconds = option(arguments, "seconds", 0);
  int64_t first = option(arguments, "seed", 1), seed = first, done = 0;
  DialectRegistry registry;
  registerAll(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  auto begin = std::chrono::steady_clock::now();
  auto isOver = [&] { return seconds && std::chrono::steady_clock::now() - begin > std::chrono::seconds(seconds); };
  for (; done < cases && !isOver(); ++seed) {
    Case test(&context, uint64_t(seed));
    if (test.isEmpty())
      continue;
    if (auto message = test.run()) {
      llvm::errs() << "seed " << seed << ": " << *message << "\nthe graph:\n" << test.source() << "\n";
      return 1;
    }
    done += kRuns;
  }
  llvm::outs() << done << " cases, of seeds " << first << " to " << seed - 1 << ", are right\n";
}
