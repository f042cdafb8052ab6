// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A plan ready to run: checked, with its code mapped or on its device. What tamis_plan points to.

#ifndef TAMIS_RUNTIME_SESSION_LOADEDPLAN_H
#define TAMIS_RUNTIME_SESSION_LOADEDPLAN_H

#include "runtime/device/cpu/CodeImage.h"
#include "runtime/device/cpu/DebuggerInterface.h"
#include "runtime/device/cpu/ThreadPool.h"
#include "runtime/device/cuda/CudaProgram.h"
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
  ~LoadedPlan() { destroy(gpu); }

  /// `path` or `data`, as the C API has them. After a failure the object may only be released.
  tamis_status open(const char *path, const void *data, size_t size, const tamis_load_options &options,
                    tamis_error *error);

  void retain() const { holders.fetch_add(1, std::memory_order_relaxed); }
  void release() const;

  const plan::Plan &metadata() const { return reader.metadata(); }
  const PlanReader &file() const { return reader; }
  const CodeImage &code() const { return image; }

  /// The program in use: what is dispatched on the device.
  const plan::Program &program() const { return *metadata().programs()->Get(programIndex); }
  uint32_t programNumber() const { return programIndex; }
  /// The name of path `index`; null beyond the last. A plan with one program has none.
  const char *path(size_t index) const;
  const char *pathInUse() const;
  tamis_device device() const { return where; }
  const char *deviceText() const;
  /// The program on its GPU; null on any other device.
  const cuda::CudaProgram *cudaProgram() const { return gpu; }

  /// The function of kernel `index`; null on a GPU and for a kernel no dispatch uses that has no code at this level.
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
    bool inUse = false, refused = false;
    char reason[400] = {};
  };

  // ChooseCode.cpp
  tamis_status chooseCode(const tamis_load_options &options, tamis_error *error);
  void chooseForCpu(const char *level, const char *path);
  tamis_status chooseForNone(const char *level, const char *path, tamis_error *error);
  tamis_status chooseForCuda(const tamis_load_options &options, tamis_error *error);
  /// Why the device cannot run a code section, in its choice's reason; true if it can.
  bool fits(const plan::Section &section, SectionChoice &choice) const;
  bool fitsGpu(const plan::Section &section, SectionChoice &choice) const;
  bool isAskedFor(const plan::Section &section, const char *level, SectionChoice &choice) const;
  const char *pathOf(const plan::Section &section) const;
  bool isOnPath(const plan::Section &section, const char *path, SectionChoice &choice) const;
  tamis_status checkPath(const char *path, tamis_error *error) const;
  tamis_status refuseAll(const char *level, tamis_error *error) const;

  tamis_status loadCode(const tamis_load_options &options, tamis_error *error);
  tamis_status findKernels(bool perfMap, tamis_error *error);
  tamis_status collectTexts(tamis_error *error);

  mutable std::atomic<uint32_t> holders{1};
  PlanReader reader;
  CodeImage image;
  DebuggerInterface debugger;
  const plan::Section *codeSection = nullptr;
  const plan::Section *weightSection = nullptr;
  uint32_t codeIndex = 0, programIndex = 0;
  tamis_device where = TAMIS_DEVICE_CPU;
  cuda::CudaProgram *gpu = nullptr;
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
