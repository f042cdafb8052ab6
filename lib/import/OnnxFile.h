// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An ONNX file as protobuf messages, with its big tensors left in the mapped file.
#pragma once

#include "lib/support/Weights.h"
#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"
#include "onnx/onnx_pb.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"
#include <map>
#include <string>
#include <vector>

namespace tamis {

/// Bytes of tensors that are not in the message. A tensor of the message refers to `payloads[n]` by the external
/// location
/// `#tamis/n`; no other external location is left in initializers and node attributes.
using Payloads = std::vector<llvm::ArrayRef<char>>;

struct OnnxFile {
  onnx::ModelProto model;
  Payloads payloads;                     ///< of any alignment: an ONNX file aligns nothing
  std::map<std::string, int64_t> opsets; ///< versions by domain ("" is ai.onnx), as the file has them
};

/// Maps the file and parses what is small in it. Tensors above 1 KiB, inside the file or in files beside it, become
/// payloads, so that a file of any size takes no more memory than its graph.
/// Errors: no regular file, no ONNX model; external data outside of the model's folder (absolute, through `..` or
/// links) or outside of its file. Source: onnx.proto3, docs/ExternalData.md of the onnx project.
llvm::Expected<OnnxFile> readOnnxFile(llvm::StringRef path, WeightStore &weights);

/// Appends to `out` the bytes of a serialized ModelProto, its big tensors replaced by references to `payloads`;
/// `folder` is where external data is looked for.
llvm::Error stripTensors(llvm::ArrayRef<char> message, llvm::StringRef folder, WeightStore &weights, std::string &out,
                         Payloads &payloads);

/// The payload a tensor refers to; null when its data are in the message.
const llvm::ArrayRef<char> *payloadOf(const onnx::TensorProto &tensor, const Payloads &payloads);

/// Checks the model by the onnx project's checker, sorts its nodes, inlines its functions, converts it to
/// `importedOpset` and infers shapes. Ops that the onnx project does not know move to the domain `unknownDomain`, to be
/// reported with all else that cannot be imported. What is wrong is reported on `loc`.
mlir::LogicalResult prepareOnnxModel(onnx::ModelProto &model, mlir::Location loc);

/// Converts the model to `opset` where it is of an earlier one. What is wrong is reported on `loc`.
mlir::LogicalResult raiseOnnxOpset(onnx::ModelProto &model, int opset, mlir::Location loc);

/// Infers shapes as far as that goes; where it fails, a warning says so.
void inferOnnxShapes(onnx::ModelProto &model, mlir::Location loc);

/// Whether the onnx project defines the node's op by a function of other ops.
bool hasOnnxFunction(const onnx::NodeProto &node);

/// Puts the nodes of its function in the place of each node of a prepared model, or of graphs inside its nodes, that is
/// called one of `names` and has one. Their names begin with the node's. Gives whether there was any; what is wrong is
/// reported on `loc`.
mlir::FailureOr<bool> expandOnnxNodes(onnx::ModelProto &model, const llvm::StringSet<> &names, mlir::Location loc);

/// The newest opset of the onnx library: every model converts upwards, none downwards.
constexpr int importedOpset = 27;
constexpr llvm::StringLiteral unknownDomain = "tamis.unknown";

} // namespace tamis
