// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX files whose weights became integers.
#include "lib/import/OnnxWriter.h"

#include "lib/import/OnnxFile.h"
#include "lib/import/OnnxQuantizer.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace tamis;

namespace {
constexpr int kOpset = 21;                   // the first with integers of 4 bits in blocks
constexpr int kFormat = 10;                  // of the file, for that opset
constexpr size_t kMostBytes = 2'000'000'000; // of a message; protobuf allows 2^31 - 1
constexpr size_t kLeastExternal = 1024;      // bytes of a tensor that lies outside
constexpr uint64_t kAlignment = 64;          // of tensors there

using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
using See = llvm::function_ref<void(onnx::TensorProto &)>;

/// Calls `see` for the tensors in nodes, those of graphs inside of them, too.
void forTensors(Nodes &nodes, See see) {
  auto ofGraph = [&](onnx::GraphProto &graph) {
    for (onnx::TensorProto &tensor : *graph.mutable_initializer())
      see(tensor);
    forTensors(*graph.mutable_node(), see);
  };
  for (onnx::NodeProto &node : nodes)
    for (onnx::AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_t())
        see(*attribute.mutable_t());
      for (onnx::TensorProto &tensor : *attribute.mutable_tensors())
        see(tensor);
      if (attribute.has_g())
        ofGraph(*attribute.mutable_g());
      for (onnx::GraphProto &inner : *attribute.mutable_graphs())
        ofGraph(inner);
    }
}

/// All but the initializers of the main graph.
void forInnerTensors(onnx::ModelProto &model, See see) {
  forTensors(*model.mutable_graph()->mutable_node(), see);
  for (onnx::FunctionProto &function : *model.mutable_functions())
    forTensors(*function.mutable_node(), see);
}

/// Puts the bytes of big tensors behind each other into a file, or back into the message.
llvm::Error storeTensors(onnx::ModelProto &model, const Payloads &payloads, StringRef dataFile) {
  auto inside = [&](onnx::TensorProto &tensor) {
    const ArrayRef<char> *payload = payloadOf(tensor, payloads);
    if (!payload)
      return;
    tensor.clear_external_data();
    tensor.clear_data_location();
    tensor.set_raw_data(payload->data(), payload->size());
  };
  forInnerTensors(model, inside);
  if (dataFile.empty()) {
    for (onnx::TensorProto &tensor : *model.mutable_graph()->mutable_initializer())
      inside(tensor);
    return llvm::Error::success();
  }
  return llvm::writeToOutput(dataFile, [&](raw_ostream &out) -> llvm::Error {
    uint64_t offset = 0;
    for (onnx::TensorProto &tensor : *model.mutable_graph()->mutable_initializer()) {
      const ArrayRef<char> *payload = payloadOf(tensor, payloads);
      ArrayRef<char> bytes = payload ? *payload : ArrayRef(tensor.raw_data().data(), tensor.raw_data().size());
      if (bytes.size() < kLeastExternal) {
        inside(tensor);
        continue;
      }
      out.write_zeros(unsigned(llvm::alignTo(offset, kAlignment) - offset));
      offset = llvm::alignTo(offset, kAlignment);
      out.write(bytes.data(), bytes.size());
      tensor.clear_external_data();
      tensor.clear_raw_data();
      tensor.set_data_location(onnx::TensorProto::EXTERNAL);
      for (auto [key, value] :
           {std::pair("location", llvm::sys::path::filename(dataFile).str()),
            std::pair("offset", std::to_string(offset)), std::pair("length", std::to_string(bytes.size()))}) {
        onnx::StringStringEntryProto &entry = *tensor.add_external_data();
        entry.set_key(key);
        entry.set_value(value);
      }
      offset += bytes.size();
    }
    return llvm::Error::success();
  });
}

size_t messageBytes(onnx::ModelProto &model, const Payloads &payloads) {
  size_t bytes = model.ByteSizeLong();
  auto count = [&](onnx::TensorProto &tensor) {
    if (const ArrayRef<char> *payload = payloadOf(tensor, payloads))
      bytes += payload->size();
  };
  forInnerTensors(model, count);
  for (onnx::TensorProto &tensor : *model.mutable_graph()->mutable_initializer())
    count(tensor);
  return bytes;
}
} // namespace

FailureOr<size_t> tamis::writeQuantizedOnnx(StringRef path, StringRef output, const IntegerWeights &integers,
                                            bool externalData, Location loc, WeightStore &weights) {
  auto file = readOnnxFile(path, weights);
  if (!file)
    return emitError(loc) << llvm::toString(file.takeError());
  onnx::ModelProto &model = file->model;
  if (failed(raiseOnnxOpset(model, kOpset, loc)))
    return failure();
  if (model.ir_version() < kFormat)
    model.set_ir_version(kFormat);
  size_t count = quantizeOnnxGraph(model, integers);
  if (count == 0)
    return emitError(loc) << "holds no weight of MatMul, Gemm or Gather that can be quantized";
  std::string dataFile;
  if (externalData || messageBytes(model, file->payloads) > kMostBytes)
    dataFile = (output + ".data").str();
  llvm::Error error = storeTensors(model, file->payloads, dataFile);
  if (!error)
    error = llvm::writeToOutput(output, [&](raw_ostream &out) -> llvm::Error {
      std::string bytes;
      if (!model.SerializeToString(&bytes))
        return llvm::createStringError("its message is too large");
      out << bytes;
      return llvm::Error::success();
    });
  if (error) {
    if (!dataFile.empty())
      llvm::sys::fs::remove(dataFile);
    return emitError(loc) << "cannot write '" << output << "': " << llvm::toString(std::move(error));
  }
  return count;
}
