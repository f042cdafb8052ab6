// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis-run as a user sees it: exit code, standard output, standard error.

#include "runtime/npy/NpzFile.h"
#include "test/runtime/PlanBuilder.h"
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace tamis;
using namespace tamis::test;

namespace {
struct Outcome {
  int exitCode;
  std::string output; ///< both streams
};

class ToolTest : public ::testing::Test {
protected:
  void SetUp() override {
    directory = ::testing::TempDir() + "tamis_tool_XXXXXX";
    ASSERT_NE(mkdtemp(directory.data()), nullptr);
    std::string from = writeFile("tool.plan", gatherPlan().build());
    plan = directory + "/gather.plan";
    ASSERT_EQ(rename(from.c_str(), plan.c_str()), 0);
  }
  void TearDown() override { ASSERT_EQ(system(("rm -r '" + directory + "'").c_str()), 0); }

  /// Runs the tool in the test's directory; `arguments` as for a shell.
  Outcome run(const std::string &arguments) {
    std::string command = "cd '" + directory + "' && '" TAMIS_RUN "' " + arguments + " 2>&1";
    FILE *pipe = popen(command.c_str(), "r");
    std::string output;
    char part[4096];
    for (size_t count; (count = fread(part, 1, sizeof part, pipe)) > 0;)
      output.append(part, count);
    int status = pclose(pipe);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
  }

  void expectError(const std::string &arguments, const std::string &message) {
    Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exitCode, 1) << arguments;
    EXPECT_EQ(outcome.output, "tamis-run: error: " + message + "\n") << arguments;
  }

  std::string directory, plan;
};
} // namespace

TEST_F(ToolTest, runsAndPrints) {
  Outcome outcome = run("gather.plan --input ids=1x2xi64=3,4 --input mask=1x4xf32=0.5,0,0,0 --threads 2");
  EXPECT_EQ(outcome.exitCode, 0);
  EXPECT_EQ(outcome.output, "out: f32 [1, 2, 4] = 60.5 62.5 64.5 66.5 80.5 82.5 84.5 86.5\n");
}

TEST_F(ToolTest, readsAndWritesFiles) {
  std::vector<int64_t> ids = {3, 4};
  std::vector<float> mask = {0.5, 0, 0, 0};
  ASSERT_TRUE(npy::writeNpy(directory + "/ids.npy", Tensor(ids.data(), {1, 2})));
  ASSERT_TRUE(npy::writeNpz(directory + "/in.npz", {{"mask", Tensor(mask.data(), {1, 4})}}));
  Outcome outcome = run("gather.plan --input ids=@ids.npy --input mask=@in.npz --output out.npz --output out=@out.npy");
  EXPECT_EQ(outcome.exitCode, 0);
  EXPECT_EQ(outcome.output, "");
  Result<npy::Array> single = npy::readNpy(directory + "/out.npy"),
                     member = npy::readNpz(directory + "/out.npz", "out");
  ASSERT_TRUE(single && member);
  EXPECT_EQ(single->dims, (std::vector<int64_t>{1, 2, 4}));
  EXPECT_EQ(single->tensor().as<float>()[7], 86.5f);
  EXPECT_EQ(single->bytes, member->bytes);
}

TEST_F(ToolTest, makesRandomInputs) {
  std::string inputs = "gather.plan --input 'ids=random(1,0,10)' --input 'mask=random(2)'";
  Outcome outcome = run(inputs + " --dim batch=2 --dim sequence=3");
  EXPECT_EQ(outcome.exitCode, 0) << outcome.output;
  EXPECT_EQ(outcome.output.substr(0, 20), "out: f32 [2, 3, 4] =");
  EXPECT_EQ(run(inputs + " --dim batch=2 --dim sequence=3").output, outcome.output);
  expectError(inputs + " --dim batch=2", "the shape of a random input needs the size 'sequence': give --dim "
                                         "sequence=NUMBER (0 to 64)");
  expectError(inputs + " --dim batch=2 --dim length=3",
              "--dim: the plan has no symbol 'length', it has: batch, sequence");
  expectError(inputs + " --dim batch=x", "--dim: 'batch=x' is no SYMBOL=NUMBER");
  expectError(inputs + " --dim batch=99 --dim sequence=1", "batch is 99, allowed are 1 to 8");
  // A given input tells the sizes of a random one.
  EXPECT_EQ(run("gather.plan --input ids=2x3xi64=1 --input mask=random").exitCode, 0);
}

TEST_F(ToolTest, listsChecksAndProfiles) {
  Outcome outcome = run("gather.plan --list");
  EXPECT_EQ(outcome.exitCode, 0);
  for (const char *text :
       {"  ids: i64 [batch, sequence]\n", "  mask: f32 [batch, 2*sequence]\n", "  out: f32 [batch, sequence, 4]\n",
        "  batch: 1 to 8\n", "in use, mapped\n", "2 dispatches"})
    EXPECT_NE(outcome.output.find(text), std::string::npos) << text << outcome.output;
  EXPECT_EQ(run("gather.plan --check").output, "gather.plan: every section is intact\n");
  outcome = run("gather.plan --input ids=1x2xi64=3 --input mask=1x4xf32=0 --profile --repeat 3");
  EXPECT_EQ(outcome.exitCode, 0);
  for (const char *text : {"  gather  /embeddings/Gather, ...\n", "  scale  /scale\n", "median", "of 3 runs"})
    EXPECT_NE(outcome.output.find(text), std::string::npos) << text << outcome.output;
}

TEST_F(ToolTest, explainsMistakes) {
  expectError("absent.plan", "absent.plan: cannot open 'absent.plan': No such file or directory");
  expectError("/dev/null", "/dev/null: cannot read '/dev/null': not a regular file");
  expectError("gather.plan", "input 'ids' is missing: give --input ids=@FILE.npy, or random(SEED)");
  expectError("gather.plan --input idz=1xi64=1", "--input: the plan has no input 'idz', it has: ids, mask");
  expectError("gather.plan --input ids=1xi64=1 --input ids=1xi64=1", "--input: 'ids' is given twice");
  expectError("gather.plan --input ids=@gather.plan --input mask=random",
              "cannot read 'gather.plan': it is no .npy file");
  expectError("gather.plan --input ids=@no.npy --input mask=random", "cannot read 'no.npy': No such file or directory");
  expectError("gather.plan --input ids=1x2xi64=3 --input mask=1x5xf32=0",
              "input 'mask': dimension 1 is 5, wanted is 2*sequence = 4");
  expectError("gather.plan --input ids=1x2xi32=3 --input mask=1x4xf32=0",
              "input 'ids': element type i32 was given, i64 is wanted");
  expectError("gather.plan --input ids=1x2xi64=10 --input mask=1x4xf32=0",
              "index out of range in dispatch 'gather' (nodes /embeddings/Gather, /embeddings/Add)");
  std::string good = "gather.plan --input ids=1x2xi64=3 --input mask=1x4xf32=0 ";
  expectError(good + "--output x.txt", "--output: 'x.txt' is no FILE.npz and no OUTPUT=@FILE.npy");
  expectError(good + "--output out=@/nonexistent/x.npy",
              "cannot write '/nonexistent/x.npy': No such file or directory");
  expectError(good + "--level avx9", "gather.plan: no code of the plan is for level 'avx9': 'host' level 'avx9' was "
                                     "asked for");
  EXPECT_NE(run("gather.plan --no-such-flag").exitCode, 0);
  EXPECT_NE(run(good + "--threads -1").exitCode, 0);
  EXPECT_NE(run(good + "> /dev/full").exitCode, 0);
  EXPECT_NE(run("").exitCode, 0);
}
