// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decisions as JSON and as a table.
#include "codegen/schedule/GpuDecision.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace tamis;

std::string tamis::printGpuDecisions(llvm::ArrayRef<GpuDecisions> targets) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::json::OStream json(stream, /*IndentSize=*/1);
  auto printCounts = [&](const GpuCounts &each) {
    json.attributeObject("counted", [&] {
      json.attribute("instructions", each.instructions);
      json.attribute("tensor_macs", each.tensorMacs);
      json.attribute("special_functions", each.specialFunctions);
      json.attribute("wavefronts", each.wavefronts);
      json.attribute("sectors", each.sectors);
      json.attribute("barriers", each.barriers);
      if (each.registers) {
        json.attribute("registers", each.registers);
        json.attribute("spill_bytes", each.spillBytes);
      }
      json.attribute("groups_per_processor", each.groups);
      json.attribute("cycles", each.cycles);
    });
  };
  auto printCandidate = [&](const GpuCandidate &each, const GpuCounts *counts) {
    json.object([&] {
      json.attribute("tile", each.tile);
      json.attribute("warps", each.warps);
      json.attribute("shared_bytes", each.sharedBytes);
      json.attribute("groups_per_processor", each.groups);
      json.attribute("occupancy", each.occupancy);
      if (each.stages)
        json.attribute("stages", each.stages);
      if (each.registers)
        json.attribute("registers", each.registers);
      if (each.cycles > 0 && each.fits())
        json.attribute("cycles", each.cycles);
      if (counts && counts->cycles > 0)
        printCounts(*counts);
    });
  };
  auto printKernel = [&](const GpuDecisions &target, const GpuDecision &each) {
    auto counted = target.counted.find(each.kernel);
    bool isTuned = counted != target.counted.end();
    json.object([&] {
      json.attribute("kernel", each.kernel);
      if (!each.shape.empty())
        json.attribute("shape", each.shape);
      json.attribute("chosen", each.tile());
      json.attribute("by_hand", each.byHand);
      if (isTuned)
        json.attribute("tuned", true);
      json.attributeArray("candidates", [&] {
        for (auto [i, candidate] : llvm::enumerate(each.candidates))
          printCandidate(candidate, isTuned ? &counted->second[i] : nullptr);
      });
    });
  };
  json.object([&] {
    json.attributeArray("targets", [&] {
      for (const GpuDecisions &each : targets)
        json.object([&] {
          json.attribute("target", each.target);
          json.attributeArray("kernels", [&] {
            for (const GpuDecision &kernel : each.kernels)
              printKernel(each, kernel);
          });
        });
    });
  });
  stream << "\n";
  return text;
}

std::string tamis::tableOfGpuDecisions(llvm::ArrayRef<GpuDecisions> targets) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  auto number = [](int64_t value) { return value ? std::to_string(value) : std::string("-"); };
  for (const GpuDecisions &target : targets) {
    stream << target.target << "\n";
    for (const GpuDecision &kernel : target.kernels) {
      auto counted = target.counted.find(kernel.kernel);
      bool isTuned = counted != target.counted.end();
      stream << "  " << kernel.kernel << (kernel.shape.empty() ? "" : ", at ") << kernel.shape
             << (kernel.byHand ? ", by hand" : "") << (isTuned ? ", tuned" : "") << "\n";
      for (const auto &[i, each] : llvm::enumerate(kernel.candidates)) {
        std::string cycles = each.cycles > 0 && each.fits() ? std::to_string(int64_t(each.cycles)) : "-";
        stream << "  " << (i == kernel.chosen ? "* " : "  ")
               << llvm::format(
                      "%-14s %2lld warps  %s stages  %4s registers  %6lld shared  %2lld groups  %3.0f%% occupied"
                      "  %10s cycles",
                      each.tile.c_str(), static_cast<long long>(each.warps), number(each.stages).c_str(),
                      number(each.registers).c_str(), static_cast<long long>(each.sharedBytes),
                      static_cast<long long>(each.groups), 100 * each.occupancy, cycles.c_str());
        if (isTuned && counted->second[i].cycles > 0) {
          const GpuCounts &counts = counted->second[i];
          stream << llvm::format("  %10.0f counted", counts.cycles);
          if (counts.registers)
            stream << llvm::format("  %3lld registers assembled, %lld bytes spilled, %lld groups",
                                   static_cast<long long>(counts.registers), static_cast<long long>(counts.spillBytes),
                                   static_cast<long long>(counts.groups));
        }
        stream << "\n";
      }
    }
  }
  return text;
}

llvm::Expected<GpuChoices> tamis::parseGpuChoices(llvm::StringRef text, llvm::StringRef name) {
  auto refuse = [&](const std::string &why) {
    return llvm::createStringError("%s: %s", name.str().c_str(), why.c_str());
  };
  auto parsed = llvm::json::parse(text);
  if (!parsed)
    return refuse(llvm::toString(parsed.takeError()));
  const std::string form =
      "no list \"targets\" of objects with \"target\" and \"kernels\", as --gpu-decisions writes it";
  const llvm::json::Object *top = parsed->getAsObject();
  const llvm::json::Array *targets = top ? top->getArray("targets") : nullptr;
  if (!targets)
    return refuse(form);
  GpuChoices choices;
  for (const llvm::json::Value &each : *targets) {
    const llvm::json::Object *target = each.getAsObject();
    auto chip = target ? target->getString("target") : std::nullopt;
    const llvm::json::Array *kernels = target ? target->getArray("kernels") : nullptr;
    if (!chip || !kernels)
      return refuse(form);
    auto &own = choices[chip->str()];
    for (const llvm::json::Value &one : *kernels) {
      const llvm::json::Object *kernel = one.getAsObject();
      auto which = kernel ? kernel->getString("kernel") : std::nullopt;
      auto tile = kernel ? kernel->getString("chosen") : std::nullopt;
      if (!which || !tile)
        return refuse("a kernel of target " + chip->str() + " without the texts \"kernel\" and \"chosen\"");
      if (!own.emplace(which->str(), tile->str()).second)
        return refuse("kernel '" + which->str() + "' of target " + chip->str() + " is there twice");
    }
  }
  return choices;
}
