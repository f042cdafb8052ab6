// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plans that are cut short, damaged, of another version, or wrong with a right hash: refused in one sentence or run,
// and never a crash. Run under AddressSanitizer and UndefinedBehaviorSanitizer too.

#include "tamis/tamis.hpp"
#include "test/runtime/PlanBuilder.h"
#include "test/runtime/cuda/CudaPlans.h"
#include <cstring>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

using namespace tamis;
using namespace tamis::test;

/// Loads from a copy of exactly the file's size, so that a read past the end is seen. No debugger: it costs most of the
/// time of a load.
static Result<Plan> loadBytes(const Bytes &file, LoadOptions options = {}) {
  options.hideFromDebugger = true;
  return Plan::loadMemory({reinterpret_cast<const char *>(file.data()), file.size()}, options);
}

static Error errorOf(const Bytes &file, LoadOptions options = {}) {
  Result<Plan> plan = loadBytes(file, options);
  return plan ? Error(TAMIS_OK, "it was loaded") : plan.error();
}

static size_t metadataEnd(const Bytes &file) {
  uint64_t offset, size;
  memcpy(&offset, &file[16], 8);
  memcpy(&size, &file[24], 8);
  return offset + size;
}

TEST(Damage, everyByteOfHeaderAndMetadataMatters) {
  const Bytes good = gatherPlan().build();
  ASSERT_TRUE(loadBytes(good));
  for (size_t i = 0; i < metadataEnd(good); ++i)
    for (uint8_t flip : {0x01, 0x80, 0xff}) {
      Bytes bad = good;
      bad[i] ^= flip;
      Error error = errorOf(bad);
      bool isVersion = i >= 8 && i < 12;
      ASSERT_EQ(error.status(), isVersion ? TAMIS_VERSION_MISMATCH : TAMIS_DAMAGED_PLAN) << "byte " << i;
    }
}

TEST(Damage, everyTruncationIsSeen) {
  const Bytes good = gatherPlan().build();
  for (size_t size = 0; size < metadataEnd(good) + 8; ++size)
    ASSERT_EQ(errorOf(Bytes(good.begin(), good.begin() + ptrdiff_t(size))).status(), TAMIS_DAMAGED_PLAN) << size;
  EXPECT_EQ(errorOf(Bytes(good.begin(), good.end() - 1)).message(),
            "the plan is cut short or grew: it has " + std::to_string(good.size() - 1) + " bytes, its header states " +
                std::to_string(good.size()));
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_EQ(errorOf(longer).status(), TAMIS_DAMAGED_PLAN);
}

TEST(Damage, codeIsAlwaysCheckedAndWeightsOnRequest) {
  const Bytes good = gatherPlan().build();
  Result<Plan> plan = loadBytes(good);
  ASSERT_TRUE(plan);
  tamis_section_info code = plan->sections()[0], weights = plan->sections()[1];
  for (size_t i = 0; i < code.size; i += 997) {
    Bytes bad = good;
    bad[code.offset + i] ^= 4;
    ASSERT_EQ(errorOf(bad).message(), "section 'host' is damaged: its hash differs") << i;
  }
  Bytes bad = good;
  bad[weights.offset + weights.size - 1] ^= 4;
  Result<Plan> loaded = loadBytes(bad);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->verify().error().message(), "section 'weights' is damaged: its hash differs");
  LoadOptions verify;
  verify.verifyWeights = true;
  EXPECT_EQ(errorOf(bad, verify).status(), TAMIS_DAMAGED_PLAN);
  EXPECT_TRUE(loadBytes(good, verify));
}

TEST(Damage, anotherVersionIsNamed) {
  Bytes file = gatherPlan().build();
  file[8] = 7;
  reseal(file);
  EXPECT_EQ(errorOf(file).message(), "the plan has format version 7, runtime " + std::string(tamis_version()) +
                                         " reads version " + std::to_string(tamis_plan_format_version()));
  EXPECT_EQ(errorOf(file).status(), TAMIS_VERSION_MISMATCH);
}

TEST(Damage, foreignFilesAreNoPlans) {
  EXPECT_EQ(errorOf({}).message(), "not a plan: 0 bytes, less than a header of 64");
  EXPECT_EQ(errorOf(Bytes(100, 'x')).message(), "not a plan: the first 8 bytes are not 'TAMISPLN'");
  auto message = [](const std::string &path) { return Plan::load(path).error().message(); };
  EXPECT_EQ(message(writeFile("empty", {})), "not a plan: 0 bytes, less than a header of 64");
  EXPECT_EQ(message("/nonexistent/x.plan"), "cannot open '/nonexistent/x.plan': No such file or directory");
  EXPECT_EQ(message("/"), "cannot read '/': not a regular file");
  EXPECT_EQ(message("/dev/zero"), "cannot read '/dev/zero': not a regular file");
  std::string fifo = ::testing::TempDir() + "tamis_" + std::to_string(getpid()) + "_fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(message(fifo), "cannot read '" + fifo + "': not a regular file");
  unlink(fifo.c_str());
}

/// What the reader says after `change` of a plan's metadata, hashes being right.
static std::string messageAfter(const std::function<void(PlanBuilder &)> &change) {
  PlanBuilder builder = gatherPlan();
  change(builder);
  Error error = errorOf(builder.build());
  EXPECT_EQ(error.status(), TAMIS_DAMAGED_PLAN);
  return error.message();
}

/// The same of a plan with a second program, for CUDA.
static std::string cudaMessageAfter(const std::function<void(PlanBuilder &)> &change) {
  PlanBuilder builder = cudaGatherPlan();
  change(builder);
  Error error = errorOf(builder.build());
  EXPECT_EQ(error.status(), TAMIS_DAMAGED_PLAN);
  return error.message();
}

TEST(Metadata, programsHaveWhatTheirDeviceNeeds) {
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.plan.programs.clear(); }),
            "the plan has 0 programs, 1 to 64 are allowed");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.plan.sections[0]->program = 1; }),
            "section 'host' is code of program 1 of 1");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.program().device = tamis::plan::DeviceKind(5); }),
            "program 0 is for a device of unknown kind 5");
  EXPECT_NE(messageAfter([](PlanBuilder &b) {
              b.program().device = tamis::plan::DeviceKind_Cuda;
            }).find("in a program for CUDA"),
            std::string::npos);
  EXPECT_EQ(cudaMessageAfter([](PlanBuilder &b) { b.plan.sections[1]->program = 0; }),
            "section 'sm_80' is code for machine 190 in a program for a CPU");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.program().kernels[0]->threads = 32; }),
            "kernel 'gather' is for a CPU and has 32 threads and 0 bytes of shared memory");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.program().dispatches[0]->arguments = {0, 0}; }),
            "dispatch 'gather' is for a CPU and has 2 arguments");
  for (uint32_t threads : {0u, 33u, 1056u})
    EXPECT_EQ(cudaMessageAfter([&](PlanBuilder &b) { b.program().kernels[0]->threads = threads; }),
              "kernel 'gather' has " + std::to_string(threads) + " threads, wanted is a multiple of 32 up to 1024");
  EXPECT_EQ(cudaMessageAfter([](PlanBuilder &b) { b.program().kernels[1]->shared = (1 << 20) + 1; }),
            "kernel 'scale' has 1048577 bytes of shared memory, at most 1048576 are allowed");
  EXPECT_EQ(cudaMessageAfter([](PlanBuilder &b) { b.program().kernels[1]->code.emplace_back(0, 0, 1); }),
            "kernel 'scale' is for CUDA and has a place in an image");
  EXPECT_EQ(cudaMessageAfter([](PlanBuilder &b) { b.plan.programs[0]->kernels[0]->code[0].mutate_section(1); }),
            "kernel 'gather' lies in section 1, which is code of another program");
  EXPECT_EQ(cudaMessageAfter([](PlanBuilder &b) {
              b.program().dispatches[0]->arguments = {1u << 20};
            }).rfind("dispatch 'gather' names register 1048576 of ", 0),
            0u);
  EXPECT_EQ(cudaMessageAfter([](PlanBuilder &b) { b.program().dispatches[0]->arguments.resize(510); }),
            "dispatch 'gather' has 3 buffers and 510 arguments, at most 512 together are allowed");
  EXPECT_EQ(cudaMessageAfter([](PlanBuilder &b) { b.program().dispatches[0]->scratch = b.constant(8); }),
            "dispatch 'gather' is for CUDA and wants scratch");
  EXPECT_EQ(cudaMessageAfter([](PlanBuilder &b) { b.cudaCode["sm_80"].clear(); }), "section 'sm_80' holds no PTX");
}

TEST(Metadata, indicesAreHeldAgainstTheirTables) {
  const size_t registers = gatherPlan().plan.sizes.size();
  const std::string of = " of " + std::to_string(registers), past = std::to_string(registers);
  auto last = uint32_t(registers);
  EXPECT_EQ(messageAfter([&](PlanBuilder &b) { b.program().arena_size = last; }),
            "plan 'test' names register " + past + of);
  EXPECT_EQ(messageAfter([&](PlanBuilder &b) { b.plan.inputs[0]->dims[1] = last; }),
            "input 'ids' names register " + past + of);
  EXPECT_EQ(messageAfter([&](PlanBuilder &b) { b.plan.outputs[0]->dims[0] = ~0u; }),
            "output 'out' names register 4294967295" + of);
  for (auto field : {&tamis::plan::DispatchT::grid, &tamis::plan::DispatchT::scratch, &tamis::plan::DispatchT::flops,
                     &tamis::plan::DispatchT::bytes})
    EXPECT_EQ(messageAfter([&](PlanBuilder &b) { (*b.program().dispatches[1]).*field = last; }),
              "dispatch 'scale' names register " + past + of);
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.program().dispatches[0]->kernel = 2; }),
            "dispatch 'gather' names kernel 2 of 2");
  using tamis::plan::BufferRef;
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.program().dispatches[0]->buffers[0].mutate_index(2); }),
            "dispatch 'gather' names input 2 of 2");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.program().dispatches[0]->buffers[1].mutate_index(1); }),
            "dispatch 'gather' names constant 1 of 1");
  EXPECT_EQ(messageAfter([&](PlanBuilder &b) { b.program().dispatches[0]->buffers[2].mutate_index(last); }),
            "dispatch 'gather' names register " + past + of);
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.program().dispatches[1]->buffers[2].mutate_index(1); }),
            "dispatch 'scale' names output 1 of 1");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) {
              b.program().dispatches[1]->buffers[2] = BufferRef(0, tamis::plan::BufferKind(9));
            }),
            "dispatch 'scale' has a buffer of unknown kind 9");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.program().arena[0]->last = 2; }),
            "arena buffer 'rows' lives from dispatch 0 to 2 of 2");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.program().kernels[0]->code[0].mutate_section(1); }),
            "kernel 'gather' lies in section 1, which is no code");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.program().kernels[0]->code[0].mutate_section(77); }),
            "kernel 'gather' lies in section 77, which is no code");
}

TEST(Metadata, theShapeProgramGoesForwards) {
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.plan.sizes[3].mutate_a(3); }), "size 3 is computed from sizes 3 and 2");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.plan.sizes[3].mutate_b(9); }), "size 3 is computed from sizes 1 and 9");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.plan.sizes[1].mutate_imm(2); }), "size 1 names symbol 2 of 2");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.plan.sizes[1].mutate_imm(-1); }), "size 1 names symbol -1 of 2");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.op(tamis::plan::SizeOp_AlignUp, 0, 0, 48); }),
            "size 10 is aligned to 48, no power of two");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.op(tamis::plan::SizeOp(10), 0, 0); }),
            "size 10 has unknown operation 10");
}

TEST(Metadata, namesAndRangesMakeSense) {
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.plan.symbols[0]->min = -1; }), "symbol 'batch' ranges from -1 to 8");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.plan.symbols[0]->max = 0; }), "symbol 'batch' ranges from 1 to 0");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.symbol("loose", 0, 4); }),
            "symbol 'loose' is no dimension of an input");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.plan.inputs[0]->element = tamis::plan::ElementType(100); }),
            "input 'ids' has unknown element type 100");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.plan.inputs[0]->dim_names.pop_back(); }),
            "input 'ids' has 2 dims, 1 names of them, at most 64 are allowed");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.plan.constants[0].mutate_offset(128); }),
            "constant 0 is out of bounds: offset 128, size 160 in weights of 160");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.plan.constants[0].mutate_offset(4); }),
            "constant 0 is out of bounds: offset 4, size 160 in weights of 160");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.plan.constants[0].mutate_size(~uint64_t(0)); }),
            "constant 0 is out of bounds: offset 0, size 18446744073709551615 in weights of 160");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.weightBytes.clear(); }),
            "the plan has constants but no section of weights");
}

TEST(Metadata, sectionsLieApartInTheFile) {
  // Sections are laid out when the file is built, so these change the finished metadata.
  Bytes file = gatherPlan().build();
  auto *plan = tamis::plan::GetMutablePlan(&file[64]);
  auto *code = plan->mutable_sections()->GetMutableObject(0), *weights = plan->mutable_sections()->GetMutableObject(1);
  auto message = [&](tamis::plan::Section *section, uint64_t offset, uint64_t size, uint64_t alignment) {
    uint64_t was[3] = {section->offset(), section->size(), section->alignment()};
    section->mutate_offset(offset), section->mutate_size(size), section->mutate_alignment(alignment);
    reseal(file);
    Error error = errorOf(file);
    section->mutate_offset(was[0]), section->mutate_size(was[1]), section->mutate_alignment(was[2]);
    EXPECT_EQ(error.status(), TAMIS_DAMAGED_PLAN);
    return error.message();
  };
  std::string total = std::to_string(file.size());
  EXPECT_EQ(message(code, 0, 64, 64), "section 'host' is out of bounds: offset 0, size 64 in a file of " + total);
  EXPECT_EQ(message(code, ~uint64_t(63), 128, 64),
            "section 'host' is out of bounds: offset 18446744073709551552, size 128 in a file of " + total);
  EXPECT_EQ(message(code, 65536, ~uint64_t(0), 64),
            "section 'host' is out of bounds: offset 65536, size 18446744073709551615 in a file of " + total);
  EXPECT_EQ(message(code, 65536, 64, 0),
            "section 'host' at 65536 is aligned to 0, wanted is a power of two from 64 up");
  EXPECT_EQ(message(code, 65536, 64, 96),
            "section 'host' at 65536 is aligned to 96, wanted is a power of two from 64 up");
  EXPECT_EQ(message(code, 65536 + 64, 64, 128),
            "section 'host' at 65600 is aligned to 128, wanted is a power of two from 64 up");
  EXPECT_EQ(message(weights, 65536 + 64, 160, 64), "sections 'host' and 'weights' overlap");
  EXPECT_EQ(message(weights, 64, 160, 64), "section 'weights' overlaps the metadata");
}

TEST(Metadata, kernelsAreWhereTheImageHasThem) {
  const std::string moved = "kernel 'gather' is not where the symbols of 'host' have it";
  auto entry = gatherPlan().program().kernels[0]->code[0].entry(),
       size = gatherPlan().program().kernels[0]->code[0].size();
  EXPECT_EQ(messageAfter([&](PlanBuilder &b) { b.program().kernels[0]->code[0].mutate_entry(entry + 1); }), moved);
  EXPECT_EQ(messageAfter([&](PlanBuilder &b) { b.program().kernels[0]->code[0].mutate_entry(~uint64_t(0)); }), moved);
  EXPECT_EQ(messageAfter([&](PlanBuilder &b) { b.program().kernels[0]->code[0].mutate_size(size + 1); }), moved);
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.program().kernels[0]->name = "absent"; }),
            "kernel 'absent' is not where the symbols of 'host' have it");
  EXPECT_EQ(messageAfter([](PlanBuilder &b) { b.program().kernels[0]->code.clear(); }),
            "kernel 'gather' of dispatch 'gather' has no code in 'host'");
}

TEST(Metadata, impossibleSizesFailWhenPrepared) {
  auto message = [](const std::function<void(PlanBuilder &)> &change) {
    PlanBuilder builder = gatherPlan();
    change(builder);
    Bytes file = builder.build();
    Result<Plan> plan = loadBytes(file);
    EXPECT_TRUE(plan) << plan.error().message();
    return plan->context(1)->prepareSizes({2, 3}).error().message();
  };
  EXPECT_EQ(message([](PlanBuilder &b) { b.program().arena_size = b.constant(-1); }), "the arena would have -1 bytes");
  EXPECT_EQ(message([](PlanBuilder &b) { b.program().arena_size = b.constant(64); }),
            "arena buffer 'rows' would leave the arena: offset 0, size 96 of 64");
  EXPECT_EQ(message([](PlanBuilder &b) { b.program().dispatches[0]->grid = b.constant(-5); }),
            "dispatch 'gather' would have -5 groups and 0 bytes of scratch");
  EXPECT_EQ(message([](PlanBuilder &b) { b.program().dispatches[0]->scratch = b.constant(INT64_MAX); }),
            "dispatch 'gather' would have 6 groups and 9223372036854775807 bytes of scratch");
  EXPECT_EQ(message([](PlanBuilder &b) { b.program().dispatches[0]->buffers[2].mutate_index(b.constant(192)); }),
            "dispatch 'gather' would use byte 192 of an arena of 128");
  EXPECT_EQ(message([](PlanBuilder &b) { b.program().dispatches[0]->buffers[2].mutate_index(b.constant(8)); }),
            "dispatch 'gather' would use byte 8 of an arena of 128");
  EXPECT_EQ(message([](PlanBuilder &b) { b.plan.outputs[0]->dims[0] = b.constant(INT64_MAX); }),
            "output 'out' would have a negative dimension or more bytes than memory");
  EXPECT_EQ(message([](PlanBuilder &b) { b.op(tamis::plan::SizeOp_FloorDiv, 1, 0); }),
            "these sizes are too large: FloorDiv gives no 64-bit value at size 10");
}

TEST(Metadata, hugeArenasAreRefusedNotTried) {
  PlanBuilder builder = idlePlan();
  builder.program().arena_size = builder.constant(int64_t(1) << 50);
  Bytes file = builder.build();
  Result<Plan> plan = loadBytes(file);
  ASSERT_TRUE(plan);
  std::vector<int64_t> ids(6);
  std::vector<float> mask(12);
  Result<Context> context = plan->context(1);
  EXPECT_EQ(context->run({Tensor(ids.data(), {2, 3}), Tensor(mask.data(), {2, 6})}).error().status(),
            TAMIS_OUT_OF_MEMORY);
}

/// Asks everything a plan and a context can tell, and runs if the inputs are of a sane size.
static void useAll(Plan &plan, int threads) {
  size_t length = plan.compiler().size() + plan.model().size();
  for (const tamis_tensor_info &info : plan.inputs())
    for (int32_t i = 0; i < info.rank; ++i)
      length += strlen(info.dim_names[i]);
  for (const tamis_dispatch_info &info : plan.dispatches())
    for (size_t i = 0; i < info.source_count; ++i)
      length += strlen(info.sources[i]);
  for (const tamis_section_info &info : plan.sections())
    length += strlen(info.name) + (info.reason ? strlen(info.reason) : 0);
  (void)plan.verify();
  Result<Context> context = plan.context(threads);
  ASSERT_TRUE(context);
  std::vector<int64_t> smallest;
  for (const tamis_symbol_info &symbol : plan.symbols())
    smallest.push_back(symbol.min);
  if (!context->prepareSizes(smallest))
    return;
  std::vector<Tensor> inputs;
  int64_t bytes = 0;
  std::vector<char> zeros(1 << 16);
  for (size_t i = 0; Result<Tensor> input = context->input(i); ++i) {
    for (int64_t dim : input->dims())
      bytes += dim > 1000 ? 1 << 20 : dim * 8;
    inputs.emplace_back(input->elementType(), zeros.data(), input->dims());
  }
  for (size_t i = 0; i < plan.dispatches().size(); ++i)
    (void)context->dispatch(i);
  for (size_t i = 0; i < plan.arenaBufferCount(); ++i)
    (void)context->arenaBuffer(i);
  if (Result<tamis_memory_info> memory = context->memory(); memory->arena_bytes > 1 << 20 || bytes > 1 << 16)
    return;
  (void)context->run(inputs);
}

TEST(Fuzz, metadataWithRightHashesIsRefusedOrRuns) {
  // The kernels touch no memory: sizes that lie are the one thing a reader cannot see.
  const Bytes good = idlePlan().build();
  std::mt19937 random(uint32_t(::testing::UnitTest::GetInstance()->random_seed()));
  size_t end = metadataEnd(good);
  int refused = 0, ran = 0;
  for (int i = 0; i < 4000; ++i) {
    Bytes bad = good;
    for (int flips = 1 << random() % 4; flips; --flips) {
      constexpr uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, 0xfe};
      size_t at = 64 + random() % (end - 64);
      bad[at] = random() % 2 ? uint8_t(random()) : values[random() % sizeof values];
    }
    reseal(bad);
    Result<Plan> plan = loadBytes(bad);
    if (!plan) {
      ASSERT_FALSE(plan.error().message().empty());
      ++refused;
      continue;
    }
    ++ran;
    useAll(*plan, 1 + i % 2);
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(ran, 100);
}

TEST(Fuzz, headersWithRightHashesAreRefusedOrRun) {
  const Bytes good = idlePlan().build();
  std::mt19937 random(uint32_t(::testing::UnitTest::GetInstance()->random_seed()));
  for (int i = 0; i < 4000; ++i) {
    Bytes bad = good;
    for (int flips = 1 + int(random() % 3); flips; --flips)
      bad[8 + random() % 56] = uint8_t(random());
    uint64_t offset, size;
    memcpy(&offset, &bad[16], 8);
    memcpy(&size, &bad[24], 8);
    reseal(bad);
    (void)loadBytes(bad);
  }
}
