// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checking and mapping ELF images, the choice among code sections, and CPU features.

#include "runtime/device/cpu/CodeImage.h"
#include "runtime/device/cpu/CpuFeatures.h"
#include "tamis/tamis.hpp"
#include "test/runtime/PlanBuilder.h"
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <random>
#include <unistd.h>

// What gdb reads.
extern "C" {
struct jit_code_entry {
  jit_code_entry *next, *prev;
  const char *symfile_addr;
  uint64_t symfile_size;
};
extern struct {
  uint32_t version, action_flag;
  jit_code_entry *relevant_entry, *first_entry;
} __jit_debug_descriptor;
}

using namespace tamis;
using namespace tamis::runtime;
using namespace tamis::test;

static Elf64_Ehdr &header(Bytes &elf) {
  return *reinterpret_cast<Elf64_Ehdr *>(elf.data());
}

/// The program header of the first segment of this type whose flags include `flags`.
static Elf64_Phdr &segment(Bytes &elf, uint32_t type, uint32_t flags = 0) {
  auto *headers = reinterpret_cast<Elf64_Phdr *>(elf.data() + header(elf).e_phoff);
  for (int i = 0; i < header(elf).e_phnum; ++i)
    if (headers[i].p_type == type && (headers[i].p_flags & flags) == flags)
      return headers[i];
  ADD_FAILURE() << "no segment of type " << type;
  return headers[0];
}

/// What is said of the image after `change`.
static std::string messageAfter(const std::function<void(Bytes &)> &change) {
  Bytes elf = gatherPlan().code;
  change(elf);
  CodeImage image;
  tamis_error error = {TAMIS_OK, "it is accepted"};
  tamis_status status = image.check(elf.data(), elf.size(), "host", &error);
  EXPECT_EQ(error.status, status);
  std::string message = error.message;
  const std::string prefix = "the code of 'host' is refused: ";
  return message.substr(0, prefix.size()) == prefix ? message.substr(prefix.size()) : message;
}

TEST(CodeImage, isRefusedOutsideItsSubset) {
  EXPECT_EQ(messageAfter([](Bytes &) {}), "it is accepted");
  EXPECT_EQ(messageAfter([](Bytes &elf) { elf.resize(63); }), "it is shorter than an ELF header");
  EXPECT_EQ(messageAfter([](Bytes &elf) { elf[0] = 0; }), "it is no 64-bit little-endian shared image");
  EXPECT_EQ(messageAfter([](Bytes &elf) { header(elf).e_type = ET_EXEC; }),
            "it is no 64-bit little-endian shared image");
  EXPECT_EQ(messageAfter([](Bytes &elf) { header(elf).e_machine = EM_RISCV; }), "it is for another machine");
  EXPECT_EQ(messageAfter([](Bytes &elf) { header(elf).e_phnum = 17; }), "its program headers are out of bounds");
  EXPECT_EQ(messageAfter([](Bytes &elf) { header(elf).e_phoff = ~uint64_t(0); }),
            "its program headers are out of bounds");
  EXPECT_EQ(messageAfter([](Bytes &elf) { segment(elf, PT_LOAD).p_type = PT_TLS; }),
            "it has thread-local storage or an interpreter");
  EXPECT_EQ(messageAfter([](Bytes &elf) { segment(elf, PT_LOAD).p_flags |= PF_W; }),
            "a segment is neither r-- nor r-x");
  EXPECT_EQ(messageAfter([](Bytes &elf) { segment(elf, PT_LOAD, PF_X).p_flags |= PF_W; }),
            "a segment is neither r-- nor r-x");
  EXPECT_EQ(messageAfter([](Bytes &elf) { segment(elf, PT_LOAD, PF_X).p_flags = PF_R; }),
            "nothing in it is executable");
  EXPECT_EQ(messageAfter([](Bytes &elf) { segment(elf, PT_LOAD).p_flags |= PF_X; }), "it has two executable segments");
  EXPECT_EQ(messageAfter([](Bytes &elf) { segment(elf, PT_LOAD).p_memsz += 8; }), "a segment is out of bounds");
  EXPECT_EQ(messageAfter([](Bytes &elf) { segment(elf, PT_LOAD, PF_X).p_offset = ~uint64_t(4095); }),
            "a segment is out of bounds");
  EXPECT_EQ(messageAfter([](Bytes &elf) { segment(elf, PT_LOAD, PF_X).p_vaddr += uint64_t(1) << 40; }),
            "a segment is too large");
  EXPECT_EQ(messageAfter([](Bytes &elf) { segment(elf, PT_LOAD, PF_X).p_vaddr += 8; }),
            "it is linked for smaller pages than this system's");
  EXPECT_EQ(messageAfter([](Bytes &elf) { segment(elf, PT_LOAD, PF_X).p_vaddr %= 65536; }),
            "segments overlap or are not ascending");
  EXPECT_EQ(messageAfter([](Bytes &elf) { segment(elf, PT_DYNAMIC).p_filesz = ~uint64_t(0); }),
            "its dynamic table is out of bounds");
  for (int64_t tag : {DT_NEEDED, DT_RELA, DT_INIT, DT_TEXTREL, DT_JMPREL})
    EXPECT_EQ(
        messageAfter([&](Bytes &elf) { memcpy(elf.data() + segment(elf, PT_DYNAMIC).p_offset, &tag, sizeof tag); }),
        "it needs relocation, imports or initialisers");
}

TEST(CodeImage, damagedHeadersAndTablesStayInBounds) {
  // What is checked here is that nothing reads or maps outside; the hash, which would see it first, is not asked.
  const Bytes good = gatherPlan().code;
  std::mt19937 random(uint32_t(::testing::UnitTest::GetInstance()->random_seed()));
  constexpr size_t tables = 0x400; // program headers, dynamic symbols, hash table, strings
  int mapped = 0;
  for (int i = 0; i < 3000; ++i) {
    Bytes bad = good;
    for (int flips = 1 << random() % 4; flips; --flips)
      bad[random() % tables] = random() % 2 ? uint8_t(random()) : uint8_t(0xff);
    if (random() % 8 == 0)
      bad.resize(random() % bad.size());
    CodeImage image;
    if (image.check(bad.data(), bad.size(), "host", nullptr))
      continue;
    uint64_t entry, size;
    for (const char *name : {"gather", "increment", "absent", ""})
      if (image.findKernel(name, entry, size))
        (void)image.isExecutable(entry, size);
    mapped += !image.map(-1, 0, TAMIS_CODE_AUTO, nullptr);
  }
  EXPECT_GT(mapped, 100);
}

TEST(CodeImage, findsEveryKernelAndNothingElse) {
  Bytes elf = gatherPlan().code;
  CodeImage image;
  ASSERT_EQ(image.check(elf.data(), elf.size(), "host", nullptr), TAMIS_OK);
  uint64_t entry, size;
  for (const char *name :
       {"increment", "gather", "scale_by_scratch", "nothing", "invalid_result", "increment_unevenly"}) {
    ASSERT_TRUE(image.findKernel(name, entry, size)) << name;
    EXPECT_TRUE(image.isExecutable(entry, size));
    EXPECT_FALSE(image.isExecutable(entry, uint64_t(1) << 40));
    EXPECT_FALSE(image.isExecutable(entry, 0));
  }
  for (const char *name : {"incremen", "increment2", "", "printf"})
    EXPECT_FALSE(image.findKernel(name, entry, size)) << name;
  EXPECT_FALSE(image.isExecutable(0, 1)); // the read-only segment
}

TEST(CodeMapping, filesAreMappedAndMemoryIsCopied) {
  Bytes file = gatherPlan().build();
  std::string path = writeFile("mapping.plan", file);
  auto copied = [&](tamis_code_mapping code) {
    LoadOptions options;
    options.code = code;
    Result<Plan> plan = Plan::load(path, options);
    EXPECT_TRUE(plan) << plan.error().message();
    std::vector<int64_t> ids(6);
    std::vector<float> mask(12);
    EXPECT_TRUE(plan->context(1)->run({Tensor(ids.data(), {2, 3}), Tensor(mask.data(), {2, 6})}));
    return plan->codeCopied();
  };
  EXPECT_FALSE(copied(TAMIS_CODE_AUTO));
  EXPECT_FALSE(copied(TAMIS_CODE_MAP));
  EXPECT_TRUE(copied(TAMIS_CODE_COPY));

  std::string_view bytes(reinterpret_cast<const char *>(file.data()), file.size());
  EXPECT_TRUE(Plan::loadMemory(bytes)->codeCopied());
  LoadOptions map;
  map.code = TAMIS_CODE_MAP;
  EXPECT_EQ(Plan::loadMemory(bytes, map).error().message(), "the code of 'host' cannot be mapped: it is not in a file");
  // A plan that is not aligned in memory is aligned by a copy.
  std::string shifted = " " + std::string(bytes);
  EXPECT_TRUE(Plan::loadMemory(std::string_view(shifted).substr(1)));
  unlink(path.c_str());
}

TEST(CodeMapping, noPageIsWritableAndExecutable) {
  for (tamis_code_mapping code : {TAMIS_CODE_MAP, TAMIS_CODE_COPY}) {
    std::string path = writeFile("pages.plan", gatherPlan().build());
    LoadOptions options;
    options.code = code;
    Result<Plan> plan = Plan::load(path, options);
    ASSERT_TRUE(plan);
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
      EXPECT_EQ(line.find("rwx"), std::string::npos) << line;
    unlink(path.c_str());
  }
}

/// The address of a function by the symbol table of an image in memory; 0 if it has none.
static uint64_t addressIn(const char *elf, const std::string &name) {
  auto *header = reinterpret_cast<const Elf64_Ehdr *>(elf);
  auto *sections = reinterpret_cast<const Elf64_Shdr *>(elf + header->e_shoff);
  for (int i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_SYMTAB)
      continue;
    auto *symbols = reinterpret_cast<const Elf64_Sym *>(elf + sections[i].sh_offset);
    const char *strings = elf + sections[sections[i].sh_link].sh_offset;
    for (uint64_t j = 0; j < sections[i].sh_size / sizeof(Elf64_Sym); ++j)
      if (name == strings + symbols[j].st_name)
        return symbols[j].st_value;
  }
  return 0;
}

TEST(CodeMapping, debuggersSeeLoadedPlans) {
  Bytes file = gatherPlan().build();
  std::string_view bytes(reinterpret_cast<const char *>(file.data()), file.size());
  ASSERT_EQ(__jit_debug_descriptor.first_entry, nullptr);
  Result<Plan> first = Plan::loadMemory(bytes), second = Plan::loadMemory(bytes);
  ASSERT_TRUE(first && second);
  jit_code_entry *entry = __jit_debug_descriptor.first_entry;
  ASSERT_NE(entry, nullptr);
  ASSERT_NE(entry->next, nullptr);
  EXPECT_EQ(entry->next->prev, entry);
  // The kernel is where the symbols say: the bytes there are those of the image.
  Bytes image = gatherPlan().code;
  uint64_t address = addressIn(entry->symfile_addr, "gather");
  CodeImage parsed;
  uint64_t offset, size;
  ASSERT_EQ(parsed.check(image.data(), image.size(), "host", nullptr), TAMIS_OK);
  ASSERT_TRUE(parsed.findKernel("gather", offset, size));
  uint64_t inFile = offset - segment(image, PT_LOAD, PF_X).p_vaddr + segment(image, PT_LOAD, PF_X).p_offset;
  EXPECT_EQ(memcmp(reinterpret_cast<const void *>(address), &image[inFile], size), 0);
  first = Error(TAMIS_OK, "");
  EXPECT_EQ(__jit_debug_descriptor.first_entry, entry);
  EXPECT_EQ(entry->next, nullptr);
  second = Error(TAMIS_OK, "");
  EXPECT_EQ(__jit_debug_descriptor.first_entry, nullptr);
  LoadOptions hidden;
  hidden.hideFromDebugger = true;
  Result<Plan> third = Plan::loadMemory(bytes, hidden);
  EXPECT_EQ(__jit_debug_descriptor.first_entry, nullptr);
}

TEST(CodeMapping, perfMapNamesKernels) {
  Bytes file = gatherPlan().build();
  LoadOptions options;
  options.perfMap = true;
  Result<Plan> plan = Plan::loadMemory({reinterpret_cast<const char *>(file.data()), file.size()}, options);
  ASSERT_TRUE(plan);
  std::string path = "/tmp/perf-" + std::to_string(getpid()) + ".map";
  std::ifstream in(path);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  EXPECT_NE(text.find(" gather\n"), std::string::npos) << text;
  unlink(path.c_str());
}

/// A plan with the code of these (name, machine, features) in this order, all of it the same image.
struct Level {
  const char *name;
  uint16_t machine;
  std::vector<std::string> features;
};

static Bytes planOf(const std::vector<Level> &levels) {
  PlanBuilder builder = gatherPlan();
  builder.plan.sections.clear();
  for (auto &kernel : builder.program().kernels) {
    tamis::plan::KernelCode place = kernel->code[0];
    kernel->code.clear();
    for (uint32_t i = 0; i < levels.size(); ++i)
      kernel->code.emplace_back(place.entry(), place.size(), i);
  }
  for (const Level &level : levels) {
    auto section = std::make_unique<tamis::plan::SectionT>();
    section->name = level.name, section->machine = level.machine, section->features = level.features;
    builder.plan.sections.push_back(std::move(section));
  }
  return builder.build();
}

TEST(Levels, theFirstThatFitsIsTaken) {
  uint16_t host = hostMachine();
  Bytes file =
      planOf({{"future", host, {"warp-drive"}}, {"other", EM_RISCV, {}}, {"plain", host, {}}, {"spare", host, {}}});
  std::string_view bytes(reinterpret_cast<const char *>(file.data()), file.size());
  Result<Plan> plan = Plan::loadMemory(bytes);
  ASSERT_TRUE(plan) << plan.error().message();
  std::vector<tamis_section_info> sections = plan->sections();
  EXPECT_STREQ(sections[0].reason, "needs warp-drive, which this CPU lacks");
  EXPECT_EQ(std::string(sections[1].reason).substr(0, 33), "is for unknown (ELF machine 243),");
  EXPECT_EQ(sections[2].in_use, 1);
  EXPECT_STREQ(sections[3].reason, "'plain' comes first and fits");
  EXPECT_EQ(sections[0].feature_count, 1u);
  EXPECT_STREQ(sections[0].features[0], "warp-drive");

  LoadOptions options;
  options.level = "spare";
  EXPECT_EQ(Plan::loadMemory(bytes, options)->sections()[3].in_use, 1);
  options.level = "future";
  EXPECT_EQ(Plan::loadMemory(bytes, options).error().status(), TAMIS_NO_CODE_FOR_MACHINE);
}

TEST(Levels, noneThatFitsIsExplained) {
  uint16_t host = hostMachine();
  Bytes file = planOf({{"future", host, {"warp-drive", "tractor-beam"}}, {"other", EM_RISCV, {}}});
  Result<Plan> plan = Plan::loadMemory({reinterpret_cast<const char *>(file.data()), file.size()});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().status(), TAMIS_NO_CODE_FOR_MACHINE);
  EXPECT_EQ(plan.error().message(),
            std::string("no code of the plan is for this machine: 'future' needs warp-drive, "
                        "tractor-beam, which this CPU lacks; 'other' is for unknown (ELF machine "
                        "243), this is ") +
                machineName(host));
  file = planOf({});
  plan = Plan::loadMemory({reinterpret_cast<const char *>(file.data()), file.size()});
  EXPECT_EQ(plan.error().message(), "the plan holds no code");
}

TEST(CpuFeatures, agreeWithTheKernel) {
  EXPECT_EQ(tamis_cpu_has_feature("warp-drive"), 0);
  EXPECT_EQ(tamis_cpu_has_feature(""), 0);
  EXPECT_EQ(tamis_cpu_has_feature(nullptr), 0);
#if defined(__x86_64__)
  std::ifstream in("/proc/cpuinfo");
  std::string flags;
  for (std::string line; flags.empty() && std::getline(in, line);)
    if (line.substr(0, 5) == "flags")
      flags = line + " ";
  ASSERT_FALSE(flags.empty());
  const std::pair<const char *, const char *> names[] = {{"sse2", "sse2"},
                                                         {"sse4.2", "sse4_2"},
                                                         {"popcnt", "popcnt"},
                                                         {"avx", "avx"},
                                                         {"avx2", "avx2"},
                                                         {"fma", "fma"},
                                                         {"bmi", "bmi1"},
                                                         {"bmi2", "bmi2"},
                                                         {"f16c", "f16c"},
                                                         {"lzcnt", "abm"},
                                                         {"movbe", "movbe"},
                                                         {"avx512f", "avx512f"},
                                                         {"avx512bw", "avx512bw"},
                                                         {"avx512dq", "avx512dq"},
                                                         {"avx512vl", "avx512vl"},
                                                         {"avx512cd", "avx512cd"},
                                                         {"avxvnni", "avx_vnni"},
                                                         {"gfni", "gfni"},
                                                         {"avx512vnni", "avx512_vnni"},
                                                         {"avx512bf16", "avx512_bf16"},
                                                         {"avx512fp16", "avx512_fp16"},
                                                         {"vaes", "vaes"},
                                                         {"sse4a", "sse4a"},
                                                         {"xsaves", "xsaves"}};
  for (auto [ours, flag] : names)
    EXPECT_EQ(tamis_cpu_has_feature(ours) != 0, flags.find(std::string(" ") + flag + " ") != std::string::npos) << ours;
#endif
}
