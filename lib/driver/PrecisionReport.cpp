// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What precisions were chosen and why, as text and as JSON.
#include "lib/driver/ChoosePrecision.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace tamis;

std::string PrecisionChoice::text() const {
  std::string text;
  llvm::raw_string_ostream out(text);
  size_t width = 8;
  for (const LayerPrecision &layer : layers)
    width = std::max(width, layer.weight.size());
  out << "precisions, measured on " << passages
      << " passages: 1 - cosine of the model's outputs when one layer alone has it; what was chosen\n  "
      << llvm::left_justify("weight", width);
  for (const std::string &precision : llvm::drop_begin(precisions))
    out << "  " << llvm::right_justify(precision, 10);
  out << "\n";
  for (const LayerPrecision &layer : layers) {
    out << "  " << llvm::left_justify(layer.weight, width);
    for (size_t p = 1; p < precisions.size(); ++p)
      out << "  " << llvm::format("%*.2e", int(std::max<size_t>(10, precisions[p].size())), layer.errors[p].cosine);
    out << "  " << precisions[layer.chosen] << "\n";
  }
  out << llvm::format("error on %zu passages held out: %.5f (1 - cosine; %.5f is allowed), relative %.4f\n", heldOut,
                      error.cosine, maxError, error.relative);
  out << llvm::format("weights of layers are %.1f %% of the bytes; layers are expected to take %.2f of the time of f32 "
                      "at %lld rows\n",
                      100 * bytes / unchangedBytes, unchangedSeconds ? seconds / unchangedSeconds : 1.0,
                      static_cast<long long>(rows));
  return text;
}

std::string PrecisionChoice::json() const {
  using llvm::json::Array;
  using llvm::json::Object;
  Array found;
  for (const LayerPrecision &layer : layers) {
    Object errors;
    for (size_t p = 1; p < precisions.size(); ++p)
      errors[precisions[p]] = layer.errors[p].cosine;
    found.push_back(Object{{"weight", layer.weight},
                           {"inputs", layer.inputs},
                           {"outputs", layer.outputs},
                           {"errors", std::move(errors)},
                           {"precision", precisions[layer.chosen]}});
  }
  std::string text;
  llvm::raw_string_ostream(text) << llvm::formatv(
      "{0:2}", llvm::json::Value(Object{{"layers", std::move(found)},
                                        {"policy", llvm::cantFail(llvm::json::parse(policy))},
                                        {"max_error", maxError},
                                        {"error", Object{{"cosine", error.cosine}, {"relative", error.relative}}},
                                        {"passages", int64_t(passages)},
                                        {"held_out", int64_t(heldOut)},
                                        {"bytes", bytes},
                                        {"bytes_f32", unchangedBytes},
                                        {"seconds_estimated", seconds},
                                        {"seconds_estimated_f32", unchangedSeconds}}));
  return text;
}
