// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A textual graph of the model dialect, with its weights in a safetensors file beside it.
#include "lib/import/Importers.h"

#include "dialects/cache/CacheDialect.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/sattn/SattnDialect.h"
#include "lib/import/SizeRules.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace tamis;

namespace {
/// Ranges of the user's replace those of the text. A fixed size stays a symbol, of one value: the text's types name it.
LogicalResult applyRanges(func::FuncOp function, const ImportOptions &options) {
  SmallVector<model::Symbol> symbols = model::symbolsOf(function);
  for (const model::Symbol &given : options.dims) {
    auto it = llvm::find_if(symbols, [&](const model::Symbol &symbol) { return symbol.name == given.name; });
    if (it == symbols.end()) {
      InFlightDiagnostic error = function.emitError() << "the model has no dynamic size '" << given.name << "'";
      for (const model::Symbol &symbol : symbols)
        error << (&symbol == symbols.begin() ? "; its dynamic sizes are '" : ", '") << symbol.name << "'";
      return error;
    }
    if (given.min < 0 || given.min > given.max)
      return function.emitError() << "size '" << given.name << "' is given the range " << given.min << ".." << given.max
                                  << ", which is empty or negative";
    it->min = given.min;
    it->max = given.max;
  }
  model::setSymbols(function, symbols);
  return success();
}

/// Sizes that a type names but `declared` does not hold; empty when all are declared.
std::string undeclaredSize(Type type, const llvm::StringSet<> &declared) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  llvm::StringSet<> used;
  if (tensor)
    for (const DimExpr &dim : model::dimsOf(tensor))
      dim.collectSymbols(used);
  for (StringRef symbol : used.keys())
    if (!declared.contains(symbol))
      return symbol.str();
  return "";
}

/// Arguments and results have names of their own and dynamic sizes that the function declares.
LogicalResult checkInterface(func::FuncOp function, const llvm::StringSet<> &declared) {
  llvm::StringSet<> names;
  auto check = [&](Type type, Attribute name, const char *what, unsigned i) -> LogicalResult {
    auto text = dyn_cast_or_null<StringAttr>(name);
    if (!text || text.empty())
      return function.emitError() << what << " " << i << " has no model.name";
    if (!names.insert((Twine(what) + text.getValue()).str()).second)
      return function.emitError() << "two " << what << "s are named '" << text.getValue() << "'";
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return function.emitError() << what << " '" << text.getValue() << "' is no ranked tensor";
    if (!tensor.hasStaticShape() && !isa_and_nonnull<model::DimsAttr>(tensor.getEncoding()))
      return function.emitError() << what << " '" << text.getValue() << "' has dynamic sizes without #model.dims";
    if (std::string size = undeclaredSize(type, declared); !size.empty())
      return function.emitError() << what << " '" << text.getValue() << "' has a size '" << size
                                  << "' that model.symbols does not declare";
    return success();
  };
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (failed(check(function.getArgument(i).getType(), function.getArgAttr(i, "model.name"), "argument", i)))
      return failure();
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (failed(check(function.getResultTypes()[i], function.getResultAttr(i, "model.name"), "result", i)))
      return failure();
  return success();
}

/// One block of ops of the model dialect over sizes that arguments give.
LogicalResult checkGraph(func::FuncOp function) {
  llvm::StringSet<> declared, given;
  for (const model::Symbol &symbol : model::symbolsOf(function))
    declared.insert(symbol.name);
  if (failed(checkInterface(function, declared)))
    return failure();
  for (Type type : function.getArgumentTypes())
    for (const DimExpr &dim : model::dimsOf(type))
      if (auto symbol = dim.soleSymbol())
        given.insert(*symbol);
  for (StringRef symbol : declared.keys())
    if (!given.contains(symbol))
      return function.emitError() << "declares the size '" << symbol << "' that no axis of an argument is";
  if (!function.getBody().hasOneBlock())
    return function.emitError() << "has " << function.getBody().getBlocks().size() << " blocks but one is wanted";
  for (Operation &op : function.getBody().front().without_terminator()) {
    if (!isa_and_nonnull<model::ModelDialect, sattn::SattnDialect, cache::CacheDialect>(op.getDialect()))
      return op.emitError() << "found '" << op.getName()
                            << "' but ops of the model, sattn and cache dialects are wanted";
    for (Type type : op.getResultTypes())
      if (std::string size = undeclaredSize(type, declared); !size.empty())
        return op.emitError() << "has a size '" << size << "' that model.symbols does not declare";
  }
  return success();
}

/// Without a file of weights, none can be named.
LogicalResult checkNoWeights(ModuleOp module, StringRef weightsPath) {
  SmallVector<model::WeightOp> ops;
  module.walk([&](model::WeightOp op) { ops.push_back(op); });
  if (ops.empty())
    return success();
  InFlightDiagnostic error = ops.front().emitError();
  error << "names the weight '" << ops.front().getKey() << "', which no file holds: there is no '" << weightsPath
        << "'";
  if (ops.size() > 1)
    error.attachNote() << "the same holds for " << ops.size() - 1 << " more";
  return error;
}

LogicalResult checkWeights(ModuleOp module, StringRef weightsPath, const WeightStore &weights) {
  bool fine = true;
  module.walk([&](model::WeightOp op) {
    const WeightStore::Weight *weight = weights.find(op.getKey());
    if (!weight)
      op.emitError() << "names the weight '" << op.getKey() << "', which '" << weightsPath << "' does not hold";
    else if (weight->type != op.getType())
      op.emitError() << "names the weight '" << op.getKey() << "' of " << weight->type << " as one of " << op.getType();
    else
      return;
    fine = false;
  });
  return success(fine);
}
} // namespace

ImportedModule tamis::importText(StringRef path, const ImportOptions &options, MLIRContext *context,
                                 WeightStore &weights) {
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(path, ParserConfig(context));
  if (!module)
    return failure(); // the parser has said why
  auto function = module->lookupSymbol<func::FuncOp>("main");
  if (!function || function.isDeclaration())
    return emitError(fileLocation(path, context)) << "found no func.func @main";
  llvm::SmallString<128> weightsPath(path);
  llvm::sys::path::replace_extension(weightsPath, "safetensors");
  bool haveFile = llvm::sys::fs::exists(weightsPath);
  if (haveFile)
    if (llvm::Error error = addSafetensors(weights, weightsPath, context))
      return reportError(fileLocation(weightsPath, context), std::move(error));
  if (failed(applyRanges(function, options)) || failed(checkGraph(function)) ||
      failed(haveFile ? checkWeights(*module, weightsPath, weights) : checkNoWeights(*module, weightsPath)))
    return failure();
  return std::move(module);
}
