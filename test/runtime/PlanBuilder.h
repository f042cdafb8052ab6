// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes plans for tests, as the compiler would, around the kernels of Kernels.c.

#ifndef TAMIS_TEST_RUNTIME_PLANBUILDER_H
#define TAMIS_TEST_RUNTIME_PLANBUILDER_H

#include "runtime/plan/Plan_generated.h"
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tamis::test {

using Bytes = std::vector<uint8_t>;

/// Metadata under construction, with short ways to add to it, and the sections' bytes. `plan` may be changed freely,
/// also into what a reader must refuse.
class PlanBuilder {
public:
  PlanBuilder();

  uint32_t constant(int64_t value);
  uint32_t symbol(const std::string &name, int64_t min, int64_t max);
  uint32_t op(plan::SizeOp op, uint32_t a, uint32_t b, int64_t imm = 0);

  /// Numbers of the input or output. `dims` are registers.
  uint32_t input(const std::string &name, plan::ElementType type, std::vector<uint32_t> dims,
                 std::vector<std::string> dimNames);
  uint32_t output(const std::string &name, plan::ElementType type, std::vector<uint32_t> dims,
                  std::vector<std::string> dimNames);
  /// Appends `values` to the weights.
  uint32_t weights(const std::vector<float> &values);

  /// Starts a program for CUDA: what is added from now on is of it. `ptx` is its section `target`.
  void startCuda(const std::string &target, const std::string &ptx);
  /// Adds a section with code of the program that is being built.
  void cudaSection(const std::string &name, const std::string &text);

  /// Number of the kernel of this name in Kernels.c, or of the name in a program for CUDA.
  uint32_t kernel(const std::string &name);
  plan::DispatchT &dispatch(const std::string &name, const std::string &kernelName, uint32_t grid,
                            std::vector<plan::BufferRef> buffers);

  /// The file. Code, then weights, at multiples of 64 KiB, so that it maps on any page size.
  Bytes build() const;

  /// The one that is being built: the last.
  plan::ProgramT &program() { return *plan.programs.back(); }

  plan::PlanT plan;
  Bytes code;                            ///< the ELF image
  std::map<std::string, Bytes> cudaCode; ///< by section
  Bytes weightBytes;
};

/// Recomputes the hashes of header and metadata after a test has changed them.
void reseal(Bytes &file);
/// The hash of the section whose bytes start at `offset` of the file, as the metadata should state it.
uint64_t hashOf(const uint8_t *data, size_t size);

/// ids: i64 [batch, sequence] in [0, 10), mask: f32 [batch, 2*sequence] -> out: f32 [batch, sequence, 4]; batch 1 to 8,
/// sequence 0 to 64: out = 2 * table[ids] + mask[batch, 0] with table[i, j] = 10 i + j.
PlanBuilder gatherPlan();

/// x: i64 [n] -> y: i64 [n], y = x + count, by `count` dispatches of `kernel` through two arena buffers; n up to `max`.
PlanBuilder chainPlan(int count, int64_t max, const std::string &kernel = "increment");

/// The gather plan with kernels that touch no memory.
PlanBuilder idlePlan();

/// Writes to a fresh file of the test's temporary folder and returns its path.
std::string writeFile(const std::string &name, const Bytes &bytes);

} // namespace tamis::test

#endif // TAMIS_TEST_RUNTIME_PLANBUILDER_H
