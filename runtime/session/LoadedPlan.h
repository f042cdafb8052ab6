// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A plan ready to run: checked, with its code mapped. What tamis_plan points to.

#ifndef TAMIS_RUNTIME_SESSION_LOADEDPLAN_H
#define TAMIS_RUNTIME_SESSION_LOADEDPLAN_H

#include "runtime/device/cpu/CodeImage.h"
#include "runtime/device/cpu/DebuggerInterface.h"
#include "runtime/device/cpu/ThreadPool.h"
#include "runtime/memory/Array.h"
#include "runtime/plan/PlanReader.h"
#include <atomic>

namespace tamis::runtime {

/// Immutable after open; then every member may be called from any thread. Counted: a context holds its plan.
class LoadedPlan {
public:
  LoadedPlan() = default;
  LoadedPlan(const LoadedPlan &) = delete;
  LoadedPlan &operator=(const LoadedPlan &) = delete;

  /// `path` or `data`, as the C API has them. After a failure the object may only be released.
  tamis_status open(const char *path, const void *data, size_t size, const tamis_load_options &options,
                    tamis_error *error);

  void retain() const { holders.fetch_add(1, std::memory_order_relaxed); }
  void release() const;

  const plan::Plan &metadata() const { return reader.metadata(); }
  const PlanReader &file() const { return reader; }
  const CodeImage &code() const { return image; }

  /// The function of kernel `index`; null for a kernel no dispatch uses that has no code at this level.
  KernelFunction kernel(size_t index) const { return kernels[index].function; }
  uint64_t kernelBytes(size_t index) const { return kernels[index].bytes; }
  /// Base of the Weights section; null if the plan has none.
  const uint8_t *weights() const { return weightSection ? reader.sectionData(*weightSection) : nullptr; }
  uint64_t weightBytes() const { return weightSection ? weightSection->size() : 0; }

  tamis_tensor_info tensorInfo(const plan::Tensor &tensor, size_t number) const;
  tamis_tensor_info inputInfo(size_t index) const;
  tamis_tensor_info outputInfo(size_t index) const;
  tamis_dispatch_info dispatchInfo(size_t index) const;
  tamis_section_info sectionInfo(size_t index) const;

private:
  struct KernelPlace {
    KernelFunction function = nullptr;
    uint64_t bytes = 0;
  };
  struct SectionChoice {
    bool inUse = false;
    char reason[160] = {};
  };

  tamis_status chooseCode(const char *level, tamis_error *error);
  tamis_status loadCode(const tamis_load_options &options, tamis_error *error);
  tamis_status findKernels(bool perfMap, tamis_error *error);
  tamis_status collectTexts(tamis_error *error);
  /// Why the machine cannot run a code section, in choice.reason; true if it can.
  bool fits(const plan::Section &section, SectionChoice &choice) const;

  mutable std::atomic<uint32_t> holders{1};
  PlanReader reader;
  CodeImage image;
  DebuggerInterface debugger;
  const plan::Section *codeSection = nullptr;
  const plan::Section *weightSection = nullptr;
  uint32_t codeIndex = 0;
  Array<KernelPlace> kernels;
  Array<SectionChoice> choices; ///< one a section

  // C views of the metadata's string lists, concatenated; a view starts at the number beside it.
  Array<const char *> texts;
  Array<int64_t> dims;
  Array<uint32_t> tensorStart;   ///< inputs, then outputs: into texts and dims alike
  Array<uint32_t> dispatchStart; ///< into texts
  Array<uint32_t> sectionStart;  ///< into texts
};

} // namespace tamis::runtime

/// The C API's name for it.
struct tamis_plan : tamis::runtime::LoadedPlan {};

#endif // TAMIS_RUNTIME_SESSION_LOADEDPLAN_H
