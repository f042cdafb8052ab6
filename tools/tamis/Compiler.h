// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compiler as commands see it. It lives in a module of its own, loaded when a command needs it: MLIR and LLVM take
// longer to load than a plan takes to run.

#ifndef TAMIS_TOOLS_TAMIS_COMPILER_H
#define TAMIS_TOOLS_TAMIS_COMPILER_H

#include "tools/tamis-run/Inputs.h"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tamis::tool {

/// The range of a named size, both bounds included.
struct DimRange {
  std::string name;
  int64_t min, max;
};

struct CompileRequest {
  std::string model;                ///< a file or folder
  std::string output;               ///< the plan, or the IR with `lastPhase`; "-" is standard output (IR alone)
  std::vector<std::string> targets; ///< names of CPUs and, as "cuda:sm_80", of GPUs
  std::vector<DimRange> dims;
  std::string weights;                  ///< how they are stored: "int8", "int4(group=32)"; empty: as the model has them
  std::string precision;                ///< of layers: one of the above, "f32", "@FILE" of a policy, or "auto"
  std::string precisionCandidates;      ///< with precision "auto": separated by commas; empty for the compiler's own
  std::string attention;                ///< a pattern, "@FILE" of a policy, or "auto"; empty for dense
  std::string attentionWeights;         ///< .safetensors; empty for none
  std::vector<std::string> calibration; ///< .npz files of passages
  int64_t denseBelow = -1;              ///< attention of fewer keys stays dense; negative: as the policy says, or 0
  double maxError = 0.01;               ///< with "auto": one less the cosine of an output
  std::string candidates;               ///< with "auto": patterns, separated by commas; empty for the compiler's own
  std::string cache;           ///< of language models: "contiguous", "f32", "int8(page=32)"; empty for contiguous
  std::string decodeAttention; ///< what single tokens read of it: "page_bounds(pages=64)"; empty for all
  bool isCacheAsked = false;   ///< a model without one is an error
  std::string gpuChoices;      ///< JSON of tiles of GPU kernels, a file; empty for the compiler's own
  std::string lastPhase;       ///< empty: all phases, and a plan; else stop there and print IR
  bool bytecode = false;       ///< IR in MLIR's binary form
  bool withWeights = false;    ///< beside IR that names weights, write them: NAME.safetensors for NAME.mlir
  std::string dumpFolder;      ///< empty for none
  std::vector<std::string> mlirFlags;                              ///< MLIR's own, "--mlir-print-ir-after-all"
  int threads = 0;                                                 ///< of the compiler; 0 means one for each CPU
  std::function<void(const char *phase, double seconds)> progress; ///< seconds are negative before the phase
  std::function<void(const std::string &)> activity;               ///< what is being done within a phase
  bool gpuBf16 = false;                                            ///< products on GPUs round to bf16, not to f16
  bool externalData = false; ///< of an ONNX file: tensors lie in a file beside it, however small they are together
  bool tune = false;         ///< cuts of GPU kernels follow from what the PTX interpreter counts
};

struct CompileSummary {
  size_t dispatches = 0, kernels = 0;
  size_t quantized = 0;                                ///< weights, of an ONNX file that was written
  std::string report, reportJson;                      ///< with "auto": what was chosen and why
  std::string precisionPolicy;                         ///< with precision "auto": what was chosen, as JSON
  std::string gpuDecisions;                            ///< how GPU kernels were cut, as JSON
  std::vector<std::string> fileWeights, fittedWeights; ///< keys of the patterns' own weights
};

/// What to make smaller, and how to tell that it still shows the fault.
struct ReduceRequest {
  std::string model, output; ///< the output is NAME.mlir; NAME.safetensors is written beside it
  std::vector<DimRange> dims;
  std::string candidate;                                  ///< where graphs to ask about are written, NAME.mlir
  std::function<bool(const std::string &)> fails;         ///< whether the graph at this path shows the fault
  std::function<void(size_t ops, size_t tried)> progress; ///< before each question
};

struct ReduceSummary {
  size_t before = 0, after = 0; ///< ops, weights and constants aside
  size_t tried = 0;
};

/// A model read by the compiler and run by the reference evaluator. One thread at a time. Errors while reading have
/// been printed; those of a run are results.
class ReferenceModel : public Signature {
public:
  virtual std::vector<tamis_tensor_info> outputs() const = 0;

  /// Called with a value that was computed: what computed it, and the value, which lives during the call only.
  struct Value {
    std::string name;                 ///< of the dispatch; empty for a node
    std::vector<std::string> sources; ///< nodes of the model
    Tensor tensor;
  };
  using Observer = std::function<void(const Value &)>;

  /// The outputs of the model as it was read, op by op, or with the pattern it was read with. `observer` sees the value
  /// of every op.
  virtual Result<std::vector<npy::Array>> run(const std::vector<Tensor> &inputs, const Observer &observer = {}) = 0;

  /// Runs what a plan of this model runs, after the phases that choose what is computed together: `observer` sees the
  /// value of every dispatch, in order.
  virtual Result<std::vector<npy::Array>> runDispatches(const std::vector<Tensor> &inputs,
                                                        const Observer &observer) = 0;

  /// A point on the way through the compiler at which the program was run: phase and pass ("tamis-raise-norms"; empty
  /// for the model as it was imported), and its outputs, or why it cannot be run there.
  struct Step {
    std::string phase, pass;
    Result<std::vector<npy::Array>> outputs;
  };
  /// Runs the program as it is imported and after each pass that the reference evaluator can follow, until `observer`
  /// returns false. A pass that changed nothing is left out.
  virtual Result<void> runSteps(const std::vector<Tensor> &inputs,
                                const std::function<bool(const Step &)> &observer) = 0;
};

/// Diagnostics go to standard error as "error: MODEL: NODE: MESSAGE".
class Compiler {
public:
  virtual ~Compiler() = default;
  /// An output that ends in .onnx is an ONNX file of quantized weights. False after an error, when nothing has been
  /// written.
  virtual bool compile(const CompileRequest &request, CompileSummary &summary) = 0;
  /// `attention`: the pattern of every attention, as of a compilation; empty for none but the model's own. Null after
  /// an error.
  virtual std::unique_ptr<ReferenceModel> read(const std::string &model, const std::vector<DimRange> &dims,
                                               const std::string &attention = {}) = 0;
  /// False after an error, which has been printed: the model cannot be read, or does not show the fault.
  virtual bool reduce(const ReduceRequest &request, ReduceSummary &summary) = 0;
  /// What it is made of and what helps it: names and texts.
  virtual std::vector<std::pair<std::string, std::string>> facts() const = 0;
  /// The phases of a compilation, in order.
  virtual std::vector<std::string> phases() const = 0;
};

/// Loads the compiler, once a process. An error when it is not installed beside this program.
Result<Compiler *> loadCompiler();

/// Compiles `model` for the device of `options` alone (this machine; sm_80, which later GPUs run, too) into a temporary
/// file and loads it; the file is gone afterwards.
Result<Plan> compileForDevice(const std::string &model, const LoadOptions &options);

/// Whether the file at `path` is a plan, by its first bytes or by its name's ending.
bool isPlan(const std::string &path);

/// Parses "NAME=LOW..HIGH" and "NAME=NUMBER".
Result<std::vector<DimRange>> parseDimRanges(const std::vector<std::string> &texts);

} // namespace tamis::tool

/// The module's one symbol: the compiler, which lives as long as the process. Ends in the number of this interface.
extern "C" tamis::tool::Compiler *tamis_compiler_5();

#endif // TAMIS_TOOLS_TAMIS_COMPILER_H
