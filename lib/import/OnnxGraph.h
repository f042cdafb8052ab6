// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The walk over an ONNX graph, and what an importer of one op sees of it.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "lib/import/Contents.h"
#include "lib/import/OnnxFile.h"
#include "lib/import/SizeRules.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include <map>

namespace tamis {

class OnnxGraph;

/// One value of the graph. It becomes an op of the result only when an op needs it as data: shape arithmetic and unused
/// initializers leave no trace.
struct OnnxValue {
  mlir::Type element; ///< null when nothing is known of the value, because its node could not be imported
  model::Dims dims;

  mlir::Value value;                ///< null until it is needed
  std::optional<Contents> contents; ///< integers and bools known at import
  std::optional<double> number;     ///< floats: the value of every element, when known
  llvm::ArrayRef<char> bytes;       ///< of an initializer that is not in the weight store yet
  std::string weight;               ///< its key; empty when the value is no weight
  bool isHeld = false;              ///< the tensor of an optional value or of a sequence (OnnxOpsSequence.cpp)

  bool isKnown() const { return element != nullptr; }
  int64_t rank() const { return dims.size(); }
  bool isFloat() const { return mlir::isa<mlir::FloatType>(element); }
  bool isBool() const { return element.isInteger(1); }
  /// An initializer, as opposed to something computed.
  bool isWeight() const { return !weight.empty(); }
};

/// A node, to the function that imports it. Every operand that is present is known. What cannot be imported is said by
/// fail(), which the function returns at once.
class OnnxNode {
public:
  OnnxNode(OnnxGraph &graph, const onnx::NodeProto &proto, mlir::Location loc)
      : graph(graph), proto(proto), location(loc) {}

  // Operands.
  size_t size() const { return proto.input_size(); }
  bool has(size_t i) const { return i < size() && !proto.input(i).empty(); }
  /// No operand is left out. The checker sees to it but for ops of any number of operands.
  bool hasAll() const {
    return size() > 0 && llvm::none_of(proto.input(), [](auto &name) { return name.empty(); });
  }
  const OnnxValue &in(size_t i) const;
  mlir::Value emit(size_t i);
  mlir::Value emit(OnnxValue &value);
  /// The operand as SSA value of these sizes, by NumPy's rule.
  mlir::Value emitBroadcast(size_t i, llvm::ArrayRef<DimExpr> dims);
  /// Integer operands that are known; fails otherwise, calling the operand `what`.
  mlir::FailureOr<llvm::SmallVector<int64_t>> numbers(size_t i, llvm::StringRef what);
  mlir::FailureOr<model::Dims> sizes(size_t i, llvm::StringRef what);

  // Attributes, of the type the checker verified.
  const onnx::AttributeProto *find(llvm::StringRef name) const;
  int64_t integer(llvm::StringRef name, int64_t missing) const;
  double real(llvm::StringRef name, double missing) const;
  llvm::StringRef text(llvm::StringRef name, llvm::StringRef missing) const;
  std::optional<llvm::SmallVector<int64_t>> integers(llvm::StringRef name) const;
  /// An axis from -rank to rank - 1, as one from 0; fails outside.
  mlir::FailureOr<int64_t> axis(int64_t value, int64_t rank);
  mlir::FailureOr<llvm::SmallVector<int64_t>> axes(llvm::ArrayRef<int64_t> values, int64_t rank);

  // Results.
  size_t results() const { return proto.output_size(); }
  bool wants(size_t i) const; ///< something reads it
  mlir::LogicalResult give(mlir::Value value, size_t i = 0);
  mlir::LogicalResult give(OnnxValue value, size_t i = 0);
  /// The value of this name, in this graph or one inside of it; none yet where nothing is known of it.
  OnnxValue &named(llvm::StringRef name);
  /// Imports the nodes of a graph inside of the node; its inputs are known by then. Fails with the reason of its node.
  mlir::LogicalResult importGraph(const onnx::GraphProto &graph);
  /// A result whose contents are known; nothing is emitted now.
  mlir::LogicalResult give(mlir::Type element, llvm::ArrayRef<DimExpr> dims, Contents contents, size_t i = 0);

  // Emitting.
  mlir::OpBuilder &builder();
  mlir::Location loc() const { return location; }
  mlir::Type i64() { return builder().getI64Type(); } ///< of positions
  template <typename Op, typename... Args> mlir::Value create(Args &&...args) {
    return Op::create(builder(), location, std::forward<Args>(args)...);
  }
  /// A constant of one float or integer in every element.
  mlir::Value splat(mlir::Type element, double value, llvm::ArrayRef<DimExpr> dims = {});
  mlir::Value elementwise(model::ElementwiseKind kind, mlir::ValueRange operands, llvm::ArrayRef<DimExpr> dims);
  mlir::Value reshape(mlir::Value value, llvm::ArrayRef<DimExpr> dims);
  mlir::Value broadcast(mlir::Value value, llvm::ArrayRef<DimExpr> dims);
  mlir::Value transpose(mlir::Value value, llvm::ArrayRef<int64_t> permutation);

  // Sizes.
  SizeRules &rules();
  /// Two sizes that must be equal; fails when they are not.
  mlir::LogicalResult meet(const DimExpr &a, const DimExpr &b);
  mlir::FailureOr<model::Dims> broadcastDims(llvm::ArrayRef<DimExpr> a, llvm::ArrayRef<DimExpr> b);
  /// Sizes that a tensor can have: none negative, no more than 2^40 elements besides the symbols.
  mlir::LogicalResult checkDims(llvm::ArrayRef<DimExpr> dims);

  /// Notes why the node cannot be imported and what could be.
  mlir::LogicalResult fail(const llvm::Twine &reason);

  mlir::MLIRContext *context() const { return location.getContext(); }
  const onnx::NodeProto &node() const { return proto; }
  /// A weight that follows from operand `i`, an initializer: `fill` writes its bytes.
  mlir::Value derived(size_t i, llvm::StringRef suffix, mlir::Type element, llvm::ArrayRef<DimExpr> dims,
                      llvm::function_ref<void(llvm::MutableArrayRef<char>)> fill);
  /// The contents of a tensor attribute, under the name of the node's result.
  mlir::FailureOr<OnnxValue> tensor(const onnx::TensorProto &tensor);

private:
  OnnxGraph &graph;
  const onnx::NodeProto &proto;
  mlir::Location location;
};

/// Imports the nodes of one op.
using OnnxImportFunction = mlir::LogicalResult (*)(OnnxNode &node);

/// Importers by op of the default domain, or by "domain.op"; each file of a group adds its own.
using OnnxOpTable = llvm::StringMap<OnnxImportFunction>;
void addOnnxMathOps(OnnxOpTable &table);
void addOnnxTensorOps(OnnxOpTable &table);
void addOnnxShapeOps(OnnxOpTable &table);
void addOnnxIndexOps(OnnxOpTable &table);
void addOnnxTransformerOps(OnnxOpTable &table);
void addOnnxQuantizeOps(OnnxOpTable &table);
void addOnnxSparseOps(OnnxOpTable &table);
void addOnnxContribOps(OnnxOpTable &table);
void addOnnxContribAttentionOps(OnnxOpTable &table);
void addOnnxGroupQueryOps(OnnxOpTable &table);
void addOnnxPackedAttentionOps(OnnxOpTable &table);
void addOnnxControlOps(OnnxOpTable &table);
void addOnnxEinsumOps(OnnxOpTable &table);
void addOnnxNormOps(OnnxOpTable &table);
void addOnnxSequenceOps(OnnxOpTable &table);
/// Whether the op takes optional values or sequences.
bool takesHeldTensors(llvm::StringRef op);
void addOnnxPositionOps(OnnxOpTable &table);
void addOnnxResizeOps(OnnxOpTable &table);
void addOnnxScatterOps(OnnxOpTable &table);
void addOnnxWindowOps(OnnxOpTable &table);

/// The nearest thing that is supported instead of an op that is not; empty when nothing comes near.
llvm::StringRef nearestSupport(llvm::StringRef domain, llvm::StringRef op);

/// All elements of an integer value that is known at import, row-major, however many; nothing for another one.
std::optional<std::vector<int64_t>> constantIntegers(const OnnxValue &value);

/// All elements of a float value that is known at import, row-major; nothing for another one, or for very many.
std::optional<std::vector<double>> constantFloats(const OnnxValue &value);

/// The element type of an ONNX data type; null for one that the model dialect does not have.
mlir::Type onnxElementType(int64_t onnxType, mlir::MLIRContext *context);
/// What to say when it is null: the type's name, and those that there are.
std::string unsupportedElement(int64_t onnxType);

/// What attempts tell the next one of nodes that are put in terms of their functions.
struct OnnxExpansion {
  int nodes = 0;                            ///< of the file
  bool allowed = true;                      ///< nodes that cannot be imported and have a function are not reported
  std::map<std::string, std::string> notes; ///< why each node could not be imported as it is, by its name
};

/// One attempt to import a prepared model. When sizes were learnt on the way, it says so and another attempt is due.
class OnnxGraph {
public:
  OnnxGraph(const OnnxFile &file, llvm::StringRef path, SizeRules &rules, mlir::MLIRContext *context,
            WeightStore &weights, OnnxExpansion &expansion);

  /// The module; failure after reporting, or null when `rules` learnt something, or nodes are to be expanded.
  mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> run();
  /// Names of nodes that the functions of their ops are wanted of.
  const llvm::StringSet<> &toExpand() const { return functions; }

private:
  friend class OnnxNode;
  struct Problem {
    const onnx::NodeProto *node;
    std::string reason;
  };

  mlir::LogicalResult addInputs();
  void noteTypes(const onnx::GraphProto &graph);
  mlir::LogicalResult addInitializers(const onnx::GraphProto &graph, llvm::StringRef prefix);
  mlir::LogicalResult addNodes(const onnx::GraphProto &graph);
  mlir::LogicalResult addOutputs();
  mlir::LogicalResult reportProblems();
  /// A node that failed gives what the onnx library inferred, so that those after it can be looked at too.
  void giveInferred(const onnx::NodeProto &node);
  std::string describe(llvm::StringRef value) const;
  std::string noteOf(const Problem &problem) const;
  mlir::FailureOr<OnnxValue> readTensor(const onnx::TensorProto &tensor, llvm::StringRef key, std::string &problem);
  mlir::Value emit(OnnxValue &value, mlir::Location loc);
  mlir::Value emitContents(const OnnxValue &value, mlir::Location loc);
  mlir::Location locationOf(const onnx::NodeProto &node) const;

  const OnnxFile &file;
  const onnx::GraphProto &graph;
  llvm::StringRef path;
  SizeRules &rules;
  mlir::MLIRContext *context;
  WeightStore &weights;
  mlir::Location fileLoc;
  OnnxExpansion &expansion;

  OnnxOpTable table;
  llvm::StringMap<OnnxValue> values;
  llvm::StringMap<const onnx::TypeProto *> inferred; ///< by value name
  llvm::StringSet<> used;                            ///< values that are operands or outputs
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
  mlir::OpBuilder builder;
  std::vector<Problem> problems;
  llvm::StringSet<> functions;
  int unseen = 0; ///< nodes after a failed one of which nothing is known
  bool learnt = false;
  std::string reason; ///< of the node at work
};

} // namespace tamis
