// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads policies: rules by layer and head, in JSON.
#include "passes/sparsify/Policy.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;

namespace tamis::sparsify {

/// Reads one policy's JSON; what is wrong is told once, with the file's name.
class PolicyReader {
public:
  PolicyReader(Policy &policy, Location loc) : policy(policy), loc(loc) {}

  LogicalResult read(StringRef text) {
    auto value = llvm::json::parse(text);
    if (!value)
      return error() << "found no JSON but a policy is wanted: " << llvm::toString(value.takeError());
    const llvm::json::Object *object = value->getAsObject();
    if (!object)
      return error() << "found " << kindOf(*value) << R"( but an object of "default" and "layers" is wanted)";
    for (const auto &[key, part] : *object) {
      if (key == "default") {
        auto pattern = patternOf(part, "\"default\"");
        if (failed(pattern))
          return failure();
        policy.byDefault = *pattern;
      } else if (key == "dense_below") {
        auto keys = part.getAsInteger();
        if (!keys || *keys < 0)
          return error() << "found " << kindOf(part) << R"( for "dense_below" but a number of keys, from 0, is wanted)";
        policy.fewestKeys = *keys;
      } else if (key != "layers") {
        return error() << "found \"" << StringRef(key)
                       << R"(" but "default", "layers" and "dense_below" are what a policy has)";
      } else if (failed(readLayers(part))) {
        return failure();
      }
    }
    return success();
  }

private:
  InFlightDiagnostic error() { return emitError(loc) << policy.name << ": "; }

  static StringRef kindOf(const llvm::json::Value &value) {
    switch (value.kind()) {
    case llvm::json::Value::Null:
      return "null";
    case llvm::json::Value::Boolean:
      return "a boolean";
    case llvm::json::Value::Number:
      return "a number";
    case llvm::json::Value::String:
      return "a text";
    case llvm::json::Value::Array:
      return "an array";
    case llvm::json::Value::Object:
      return "an object";
    }
    llvm_unreachable("unknown kind");
  }

  LogicalResult readLayers(const llvm::json::Value &value) {
    const llvm::json::Object *object = value.getAsObject();
    if (!object)
      return error() << "found " << kindOf(value)
                     << R"( in "layers" but an object, such as {"0-3": "dense"}, is wanted)";
    for (const auto &[key, part] : *object) {
      auto range = rangeOf(key, "layers", policy.rules, [](const auto &rule) { return rule.layers; });
      if (failed(range))
        return failure();
      Policy::LayerRule rule{*range, {}, {}};
      std::string where = "the rule of layers " + range->text;
      if (const llvm::json::Object *heads = part.getAsObject()) {
        if (failed(readHeads(*heads, where, rule)))
          return failure();
      } else if (auto text = part.getAsString(); text && text->trim().starts_with("share")) {
        auto shared = sharedOf(text->trim(), where);
        if (failed(shared))
          return failure();
        rule.shared = *shared;
      } else {
        auto pattern = patternOf(part, where);
        if (failed(pattern))
          return failure();
        rule.pattern = *pattern;
      }
      policy.rules.push_back(std::move(rule));
    }
    return success();
  }

  LogicalResult readHeads(const llvm::json::Object &object, const std::string &where, Policy::LayerRule &rule) {
    if (object.empty())
      return error() << "found no heads in " << where << R"( but rules such as {"0-3": "dense"} are wanted)";
    for (const auto &[key, part] : object) {
      auto range = rangeOf(key, "heads", rule.heads, [](const auto &head) { return head.heads; });
      if (failed(range))
        return failure();
      auto pattern = patternOf(part, where + ", heads " + range->text);
      if (failed(pattern))
        return failure();
      rule.heads.push_back({*range, *pattern});
    }
    return success();
  }

  /// "3" or "0-3"; no number may be in an earlier range.
  template <typename Rules, typename RangeIn>
  FailureOr<Policy::Range> rangeOf(StringRef text, StringRef what, const Rules &earlier, RangeIn rangeIn) {
    auto [low, high] = text.split('-');
    Policy::Range range{0, 0, text.str()};
    bool good = !low.getAsInteger(10, range.first);
    range.last = range.first;
    if (text.contains('-'))
      good &= !high.getAsInteger(10, range.last);
    if (!good || range.first < 0 || range.last < range.first)
      return error() << "found the " << what << " \"" << text << R"(" but a number, "3", or a range, "0-3", is wanted)";
    for (const auto &rule : earlier)
      if (Policy::Range other = rangeIn(rule); range.first <= other.last && other.first <= range.last)
        return error() << "found two rules, \"" << other.text << "\" and \"" << text << "\", for " << what << " "
                       << std::max(range.first, other.first) << " but one is wanted";
    return range;
  }

  FailureOr<int64_t> sharedOf(StringRef text, const std::string &where) {
    int64_t layer;
    StringRef number = text;
    if (!number.consume_front("share(") || !number.consume_back(")") || number.trim().getAsInteger(10, layer) ||
        layer < 0)
      return error() << where << ": found '" << text << "' but share(LAYER) is wanted, with the number of a layer";
    return layer;
  }

  FailureOr<sattn::PatternAttrInterface> patternOf(const llvm::json::Value &value, const std::string &where) {
    auto text = value.getAsString();
    if (!text)
      return error() << "found " << kindOf(value) << " for " << where
                     << " but the text of a pattern, or dense, is wanted";
    if (text->trim() == "dense")
      return sattn::PatternAttrInterface();
    std::string reason;
    sattn::PatternAttrInterface pattern;
    {
      ScopedDiagnosticHandler handler(loc.getContext(), [&](Diagnostic &diagnostic) {
        reason = reason.empty() ? diagnostic.str() : reason;
        return success();
      });
      pattern = parsePattern(*text, loc);
    }
    if (!pattern)
      return error() << where << ": " << reason;
    return pattern;
  }

  Policy &policy;
  Location loc;
};

FailureOr<Policy> Policy::parse(StringRef text, Location loc) {
  Policy policy;
  policy.name = "the policy";
  text = text.trim();
  if (text.empty() || text == "dense")
    return policy;
  if (text.consume_front("@")) {
    policy.name = text.str();
    if (llvm::sys::fs::is_directory(text) || (llvm::sys::fs::exists(text) && !llvm::sys::fs::is_regular_file(text)))
      return emitError(loc) << "cannot read the policy '" << text << "': not a regular file";
    auto file = llvm::MemoryBuffer::getFile(text, /*IsText=*/true);
    if (!file)
      return emitError(loc) << "cannot read the policy '" << text << "': " << file.getError().message();
    if (failed(PolicyReader(policy, loc).read((*file)->getBuffer())))
      return failure();
    return policy;
  }
  if (text.starts_with("{")) {
    if (failed(PolicyReader(policy, loc).read(text)))
      return failure();
    return policy;
  }
  policy.byDefault = parsePattern(text, loc);
  if (!policy.byDefault)
    return failure();
  return policy;
}

const Policy::LayerRule *Policy::ruleOf(int64_t layer) const {
  for (const LayerRule &rule : rules)
    if (layer >= rule.layers.first && layer <= rule.layers.last)
      return &rule;
  return nullptr;
}

std::optional<int64_t> Policy::sharedBy(int64_t layer) const {
  const LayerRule *rule = ruleOf(layer);
  return rule ? rule->shared : std::nullopt;
}

LogicalResult Policy::checkLayers(ArrayRef<bool> hasPattern, Location loc) const {
  for (const LayerRule &rule : rules) {
    if (rule.layers.last >= int64_t(hasPattern.size()))
      return emitError(loc) << name << ": found a rule for layers " << rule.layers.text << " but the model has "
                            << hasPattern.size() << " layers of attention, counted from 0";
    if (rule.shared && *rule.shared >= rule.layers.first)
      return emitError(loc) << name << ": found that layers " << rule.layers.text << " share what layer "
                            << *rule.shared << " selects but an earlier layer is wanted";
    if (rule.shared && (sharedBy(*rule.shared) || hasPattern[*rule.shared]))
      return emitError(loc) << name << ": found that layers " << rule.layers.text << " share what layer "
                            << *rule.shared << " selects but that one "
                            << (hasPattern[*rule.shared] ? "has a pattern in the model" : "shares another's");
    for (int64_t layer = rule.layers.first; layer <= rule.layers.last; ++layer)
      if (hasPattern[layer])
        return emitError(loc) << name << ": found a rule for layer " << layer
                              << " but its attention has a pattern in the model";
  }
  return success();
}

FailureOr<std::vector<HeadRun>> Policy::runsOf(int64_t layer, int64_t heads, Location loc) const {
  std::vector<sattn::PatternAttrInterface> patterns(heads, byDefault);
  if (auto shared = sharedBy(layer))
    return runsOf(*shared, heads, loc);
  if (const LayerRule *rule = ruleOf(layer)) {
    if (rule->heads.empty())
      patterns.assign(heads, rule->pattern);
    for (const HeadRule &head : rule->heads) {
      if (head.heads.last >= heads)
        return emitError(loc) << name << ": found a rule for heads " << head.heads.text << " of layer " << layer
                              << " but it has " << heads << " heads, counted from 0";
      std::fill(patterns.begin() + head.heads.first, patterns.begin() + head.heads.last + 1, head.pattern);
    }
  }
  std::vector<HeadRun> runs;
  for (int64_t head = 0; head < heads; ++head) {
    if (runs.empty() || runs.back().pattern != patterns[head])
      runs.push_back({head, 0, patterns[head]});
    ++runs.back().count;
  }
  return runs;
}

} // namespace tamis::sparsify
