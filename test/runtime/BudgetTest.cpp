// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The controller as a state machine, what complexity is made of, the monitor's figures and texts, and requests through
// a plan of three paths.

#include "runtime/budget/Budget.h"
#include "runtime/budget/Numbers.h"
#include "tamis/tamis.hpp"
#include "test/runtime/PlanBuilder.h"
#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace tamis;
using namespace tamis::runtime;
using namespace tamis::test;

namespace {
constexpr BudgetLevel kFast = BudgetLevel::Fast, kBalanced = BudgetLevel::Balanced, kPrecise = BudgetLevel::Precise;

/// Paths of 1, 2 and 4 microseconds an element.
class ControllerTest : public ::testing::Test {
protected:
  void start(ControllerOptions given) {
    controller = Controller(given);
    for (int i = 0; i < kBudgetLevels; ++i)
      controller.observe(BudgetLevel(i), 100, secondsOf(BudgetLevel(i), 100));
  }
  static double secondsOf(BudgetLevel level, double elements) { return elements * (1 << int(level)) * 1e-6; }
  BudgetLevel ask(double complexity, double elements = 100, double waited = 0) {
    BudgetLevel level = controller.decide({elements, complexity, waited});
    controller.observe(level, elements, secondsOf(level, elements));
    return level;
  }

  Controller controller{ControllerOptions()};
};

ControllerOptions latencyOf(double seconds) {
  ControllerOptions options;
  options.latency = seconds;
  return options;
}
} // namespace

TEST_F(ControllerTest, followsComplexityAfterPatience) {
  start({});
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(ask(0.1), kPrecise) << i;
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(ask(0.1), kBalanced) << i; // a step at a time
  EXPECT_EQ(ask(0.1), kFast);
  EXPECT_EQ(controller.switches(), 2u);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(ask(0.1), kFast);
  EXPECT_EQ(controller.switches(), 2u);
  for (int i = 0; i < 3; ++i)
    ask(0.9);
  EXPECT_EQ(ask(0.1), kFast); // whoever wants no other path ends the streak
  for (int i = 0; i < 8; ++i)
    ask(0.9);
  EXPECT_EQ(controller.level(), kPrecise);
}

TEST_F(ControllerTest, staysWithinTheBand) {
  start({});
  for (int i = 0; i < 4; ++i)
    ask(0.45);
  EXPECT_EQ(controller.level(), kBalanced);
  for (int i = 0; i < 200; ++i) // either side of both thresholds, but not far
    EXPECT_EQ(ask(i % 8 < 4 ? 0.27 : 0.63), kBalanced) << i;
  EXPECT_EQ(controller.switches(), 1u);
}

TEST_F(ControllerTest, leavesAtOnceWhatTakesTooLong) {
  start(latencyOf(300e-6));
  EXPECT_EQ(ask(1), kBalanced); // 400 on the precise path
  EXPECT_EQ(ask(1, 100, 150e-6), kFast);
  EXPECT_EQ(ask(1, 100, 1), kFast) << "nothing is faster";
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(ask(1), kFast) << i;
  EXPECT_EQ(ask(1), kBalanced) << "there is room for 200 in 80 % of 300";
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(ask(1), kBalanced) << "but not for 400";
}

TEST_F(ControllerTest, triesAgainWhatItForgot) {
  start(latencyOf(500e-6));
  controller.observe(kPrecise, 100, 2000e-6); // disturbed
  EXPECT_EQ(ask(1), kBalanced);
  int asked = 1;
  while (controller.level() != kPrecise && asked < 1000)
    ask(1), ++asked;
  EXPECT_LT(asked, 300);
  EXPECT_GT(asked, 10);
}

TEST_F(ControllerTest, expectsFromWhatIsKnown) {
  controller = Controller(ControllerOptions());
  EXPECT_EQ(controller.expected(kPrecise, 100), 0);
  controller.observe(kFast, 100, 1e-3);
  EXPECT_DOUBLE_EQ(controller.expected(kFast, 200), 2e-3);
  EXPECT_GT(controller.expected(kPrecise, 100), controller.expected(kBalanced, 100));
  EXPECT_GT(controller.expected(kBalanced, 100), controller.expected(kFast, 100));
  controller.observe(kFast, 100, 0.5e-3); // the first run paid for memory
  EXPECT_DOUBLE_EQ(controller.expected(kFast, 100), 0.5e-3);
  controller.observe(kFast, 100, 1.5e-3);
  EXPECT_DOUBLE_EQ(controller.expected(kFast, 100), 0.8e-3);
  controller.observe(kFast, 100, NAN);
  controller.observe(kFast, 0, 0);
  EXPECT_DOUBLE_EQ(controller.expected(kFast, 100), 0.8e-3);
}

/// Whatever requests want, of n no more than 2 n / patience + 2 change the path.
TEST_F(ControllerTest, doesNotFlap) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> number;
  for (uint32_t patience : {1u, 2u, 4u, 16u})
    for (int kind = 0; kind < 4; ++kind) {
      ControllerOptions options = latencyOf(kind < 2 ? 300e-6 : 0);
      options.patience = patience;
      start(options);
      int requests = 2000;
      for (int i = 0; i < requests; ++i) {
        double wave = kind % 2 ? number(random) : double(i / 3 % 2);
        ask(wave, 1 + 200 * number(random), kind == 1 && number(random) < 0.3 ? 1e-3 : 0);
      }
      EXPECT_LE(controller.switches(), 2u * requests / patience + 2) << patience << " " << kind;
    }
}

TEST(ComplexityTest, lengths) {
  Complexity complexity;
  complexity.setLongest(256);
  std::vector<int64_t> dims{4, 64};
  tamis_tensor input{nullptr, dims.data(), 2, TAMIS_I64};
  EXPECT_DOUBLE_EQ(complexity.of(&input, 1), (2 * 0.5 + 0.5) / 3);
  dims[1] = 256;
  EXPECT_DOUBLE_EQ(complexity.of(&input, 1), (2 + 0.5) / 3);
  dims[1] = 0;
  EXPECT_DOUBLE_EQ(complexity.of(&input, 1), 0.5 / 3);
}

TEST(ComplexityTest, margins) {
  float sure[] = {10, 0, 0}, torn[] = {5, 5, 0}, none[] = {1, NAN};
  EXPECT_NEAR(marginOf(sure, 3), 1 - 3 * std::exp(-10), 1e-6);
  EXPECT_NEAR(marginOf(torn, 3), 0, 1e-12);
  EXPECT_TRUE(std::isnan(marginOf(none, 2)));
  Complexity complexity;
  complexity.setLongest(1);
  std::vector<int64_t> dims{1, 1}, out{1, 3};
  tamis_tensor input{nullptr, dims.data(), 2, TAMIS_I64}, answer{sure, out.data(), 2, TAMIS_F32};
  for (int i = 0; i < 50; ++i) {
    answer.data = i % 2 ? sure : torn;
    complexity.see(answer);
  }
  double usual = complexity.of(&input, 1);
  answer.data = torn;
  for (int i = 0; i < 5; ++i)
    complexity.see(answer);
  double harder = complexity.of(&input, 1);
  answer.data = sure;
  for (int i = 0; i < 10; ++i)
    complexity.see(answer);
  EXPECT_GT(harder, usual);
  EXPECT_LT(complexity.of(&input, 1), usual);
  answer.data = none; // NaN, and types that have no margin, teach nothing
  out[1] = 2;
  complexity.see(answer);
  EXPECT_TRUE(std::isfinite(complexity.of(&input, 1)));
}

TEST(NumbersTest, exponential) {
  for (double x = 0; x > -60; x -= 0.37)
    EXPECT_NEAR(exponential(x) / std::exp(x), 1, 1e-12) << x;
  EXPECT_EQ(exponential(-1000), 0);
  EXPECT_EQ(exponential(NAN), 0);
  EXPECT_EQ(exponentOf(1), 0);
  EXPECT_EQ(exponentOf(1023), 9);
}

TEST(MonitorTest, quantiles) {
  Histogram times;
  EXPECT_EQ(times.quantile(0.99), 0);
  for (int i = 1; i <= 1000; ++i)
    times.add(i * 1e-3);
  EXPECT_NEAR(times.quantile(0.5), 0.5, 0.04);
  EXPECT_NEAR(times.quantile(0.99), 0.99, 0.07);
  times.add(0);
  times.add(1e12); // as high as it counts
  EXPECT_GT(times.quantile(1), 1e3);
}

TEST(MonitorTest, counts) {
  Monitor monitor(10);
  monitor.add({kFast, false, 1, 2, 100, 50, 10});
  monitor.add({kPrecise, true, 3, 3, 300, 150, 10});
  monitor.addSwitch(kPrecise, kFast);
  monitor.addSwitch(kFast, kBalanced);
  monitor.addAgreement(0.5);
  monitor.addAgreement(1);
  monitor.setMemory(7, 8);
  tamis_budget_stats stats = monitor.stats(18);
  EXPECT_EQ(stats.requests[TAMIS_BUDGET_FAST], 1u);
  EXPECT_EQ(stats.requests[TAMIS_BUDGET_PRECISE], 1u);
  EXPECT_EQ(stats.by_hand[TAMIS_BUDGET_PRECISE], 1u);
  EXPECT_EQ(stats.switches_up, 1u);
  EXPECT_EQ(stats.switches_down, 1u);
  EXPECT_EQ(stats.utilisation, 0.5);
  EXPECT_EQ(stats.bytes_per_element, 10);
  EXPECT_EQ(stats.mean_cosine, 0.75);
  EXPECT_EQ(stats.worst_cosine, 0.5);
  for (auto format : {TAMIS_BUDGET_PROMETHEUS, TAMIS_BUDGET_JSON}) {
    size_t length = Monitor::write(stats, format, nullptr, 0);
    std::string text(length + 1, 'x'), cut(20, 'x');
    EXPECT_EQ(Monitor::write(stats, format, text.data(), text.size()), length);
    EXPECT_EQ(text.back(), 0);
    EXPECT_EQ(Monitor::write(stats, format, cut.data(), cut.size()), length);
    EXPECT_EQ(cut.substr(0, 19), text.substr(0, 19));
    EXPECT_EQ(cut.back(), 0);
  }
}

namespace {
/// x: i64 [n] -> y: f32 [n]... the chain plan three times over: paths that add 1, 2 and 3.
PlanBuilder pathsPlan() {
  PlanBuilder builder = chainPlan(3, 64);
  builder.program().path = "precise";
  for (const char *name : {"balanced", "fast"}) {
    auto program = std::make_unique<plan::ProgramT>(*builder.plan.programs.front());
    program->path = name;
    auto section = std::make_unique<plan::SectionT>(*builder.plan.sections.front());
    section->program = uint32_t(builder.plan.programs.size());
    for (auto &kernel : program->kernels)
      kernel->code.front().mutate_section(uint32_t(builder.plan.sections.size()));
    builder.plan.programs.push_back(std::move(program));
    builder.plan.sections.push_back(std::move(section));
  }
  return builder;
}

class BudgetTest : public ::testing::Test {
protected:
  tamis_status create(const PlanBuilder &builder, tamis_budget_options options = {}) {
    path = writeFile("budget.plan", builder.build());
    options.struct_size = sizeof options;
    options.threads = 1;
    return tamis_budget_create(path.c_str(), nullptr, &options, &budget, &error);
  }
  void TearDown() override { tamis_budget_destroy(budget); }

  std::string path;
  tamis_budget *budget = nullptr;
  tamis_error error = {};
};
} // namespace

TEST_F(BudgetTest, runsByHandAndByItself) {
  tamis_budget_options options = {};
  options.sampled_share = 0.5;
  ASSERT_EQ(create(pathsPlan(), options), TAMIS_OK) << error.message;
  std::vector<int64_t> x{5, 6, 7}, dims{3};
  tamis_tensor input{x.data(), dims.data(), 1, TAMIS_I64}, output;
  EXPECT_EQ(tamis_budget_output(budget, 0, &output, &error), TAMIS_INVALID_ARGUMENT);
  for (int i = 0; i < TAMIS_BUDGET_PATHS; ++i) {
    tamis_budget_result result;
    ASSERT_EQ(tamis_budget_run(budget, &input, 1, tamis_budget_path(i), 0, &result, &error), TAMIS_OK);
    EXPECT_EQ(result.path, i);
    EXPECT_FALSE(result.switched);
    ASSERT_EQ(tamis_budget_output(budget, 0, &output, &error), TAMIS_OK);
    EXPECT_EQ(static_cast<int64_t *>(output.data)[2], 10);
    EXPECT_STREQ(tamis_plan_path_in_use(tamis_budget_plan(budget, result.path)), tamis_budget_path_name(result.path));
  }
  for (int i = 0; i < 8; ++i)
    ASSERT_EQ(tamis_budget_run(budget, &input, 1, TAMIS_BUDGET_AUTO, 0, nullptr, &error), TAMIS_OK);
  tamis_budget_stats stats;
  ASSERT_EQ(tamis_budget_get_stats(budget, &stats, &error), TAMIS_OK);
  EXPECT_EQ(stats.requests[0] + stats.requests[1] + stats.requests[2], 11u);
  EXPECT_EQ(stats.by_hand[0] + stats.by_hand[1] + stats.by_hand[2], 3u);
  EXPECT_GE(stats.compared, 1u);
  EXPECT_EQ(stats.worst_cosine, 1); // there is nothing of f32 to compare
  EXPECT_GT(stats.p99[TAMIS_BUDGET_FAST], 0);
  EXPECT_GT(stats.busy_seconds, 0);
}

TEST_F(BudgetTest, refuses) {
  EXPECT_EQ(create(chainPlan(1, 8)), TAMIS_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "the plan has no path 'fast' nor any other");
  PlanBuilder fewer = pathsPlan();
  fewer.plan.programs.back()->path = "other";
  EXPECT_EQ(create(fewer), TAMIS_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "the plan has no path 'fast'; it has 'precise', 'balanced', 'other'");
  for (auto change : {+[](tamis_budget_options &o) { o.latency_seconds = -1; },
                      +[](tamis_budget_options &o) { o.latency_seconds = NAN; },
                      +[](tamis_budget_options &o) { o.sampled_share = 1.5; },
                      +[](tamis_budget_options &o) { o.easy = 0.5, o.hard = 0.4; },
                      +[](tamis_budget_options &o) { o.patience = -1; }}) {
    tamis_budget_options options = {};
    change(options);
    EXPECT_EQ(create(pathsPlan(), options), TAMIS_INVALID_ARGUMENT);
    EXPECT_NE(std::string(error.message).find("tamis_budget_options"), std::string::npos) << error.message;
  }
  ASSERT_EQ(create(pathsPlan()), TAMIS_OK) << error.message;
  std::vector<int64_t> x(3), dims{3};
  tamis_tensor input{x.data(), dims.data(), 1, TAMIS_F32};
  EXPECT_EQ(tamis_budget_run(budget, &input, 1, TAMIS_BUDGET_AUTO, 0, nullptr, &error), TAMIS_SHAPE_MISMATCH);
  input.element_type = TAMIS_I64;
  EXPECT_EQ(tamis_budget_run(budget, &input, 1, tamis_budget_path(7), 0, nullptr, &error), TAMIS_INVALID_ARGUMENT);
  EXPECT_EQ(tamis_budget_run(budget, &input, 1, TAMIS_BUDGET_AUTO, NAN, nullptr, &error), TAMIS_INVALID_ARGUMENT);
  EXPECT_EQ(tamis_budget_plan(budget, TAMIS_BUDGET_AUTO), nullptr);
}

TEST(PathsTest, areChosenByName) {
  Bytes file = pathsPlan().build();
  std::string_view bytes(reinterpret_cast<const char *>(file.data()), file.size());
  for (const char *name : {"", "fast", "balanced", "precise"}) {
    LoadOptions options;
    options.path = name;
    Result<Plan> plan = Plan::loadMemory(bytes, options);
    ASSERT_TRUE(plan) << plan.error().message();
    EXPECT_STREQ(tamis_plan_path_in_use(plan->get()), *name ? name : "precise");
    EXPECT_EQ(plan->paths(), (std::vector<std::string>{"precise", "balanced", "fast"}));
    int used = 0;
    for (const tamis_section_info &section : plan->sections())
      if (section.kind == TAMIS_SECTION_CODE && section.in_use) {
        ++used;
        EXPECT_STREQ(section.path, *name ? name : "precise");
      }
    EXPECT_EQ(used, 1);
  }
  LoadOptions options;
  options.path = "quick";
  EXPECT_FALSE(Plan::loadMemory(bytes, options));
  options = {};
  options.path = "fast";
  options.device = TAMIS_DEVICE_NONE;
  EXPECT_TRUE(Plan::loadMemory(bytes, options));
}

TEST(PathsTest, damage) {
  auto messageOf = [](void (*change)(PlanBuilder &)) {
    PlanBuilder builder = pathsPlan();
    change(builder);
    Bytes file = builder.build();
    Result<Plan> plan = Plan::loadMemory({reinterpret_cast<const char *>(file.data()), file.size()});
    EXPECT_FALSE(plan);
    return plan ? "" : plan.error().message();
  };
  EXPECT_EQ(messageOf([](PlanBuilder &b) { b.plan.programs[1]->path = "fast"; }),
            "programs 1 and 2 have the path 'fast'");
  EXPECT_EQ(messageOf([](PlanBuilder &b) { b.plan.programs[1]->path = ""; }),
            "programs 0 and 1 are for the CPU, and one has no path");
}
