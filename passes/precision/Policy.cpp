// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads policies of precision.
#include "passes/precision/Policy.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/GlobPattern.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;

namespace tamis::precision {

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
      return error() << R"(an object of "default" and "layers" is wanted)";
    for (const auto &[key, part] : *object) {
      if (key == "default") {
        auto precision = part.getAsString();
        if (!precision)
          return error() << R"("default" is no text; wanted is a precision such as "int8")";
        policy.byDefault = precision->str();
      } else if (key == "layers") {
        if (failed(readRules(part)))
          return failure();
      } else {
        return error() << "found \"" << StringRef(key) << R"(" but "default" and "layers" are what a policy has)";
      }
    }
    return success();
  }

private:
  InFlightDiagnostic error() { return emitError(loc) << policy.name << ": "; }

  LogicalResult readRules(const llvm::json::Value &value) {
    const llvm::json::Array *array = value.getAsArray();
    if (!array)
      return error() << R"("layers" is no array; wanted are rules such as {"weights": "*query*", "precision": "int8"})";
    for (auto [number, part] : llvm::enumerate(*array)) {
      const llvm::json::Object *object = part.getAsObject();
      auto keys = object ? object->getString("weights") : std::nullopt;
      auto precision = object ? object->getString("precision") : std::nullopt;
      if (!keys || !precision || object->size() != 2)
        return error() << "rule " << number << R"( of "layers" is not of the form )"
                       << R"({"weights": "*query*", "precision": "int8"})";
      auto pattern = llvm::GlobPattern::create(*keys);
      if (!pattern)
        return error() << "rule " << number << R"( of "layers": found the weights ")" << *keys
                       << "\" but a pattern is wanted: " << llvm::toString(pattern.takeError());
      policy.rules.push_back({keys->str(), precision->str()});
    }
    return success();
  }

  Policy &policy;
  Location loc;
};

FailureOr<Policy> Policy::parse(StringRef text, Location loc) {
  Policy policy;
  text = text.trim();
  std::unique_ptr<llvm::MemoryBuffer> file;
  if (text.consume_front("@")) {
    auto read = llvm::MemoryBuffer::getFile(text);
    if (!read)
      return emitError(loc) << text << ": cannot be read: " << read.getError().message();
    policy.name = text.str();
    file = std::move(*read);
    text = file->getBuffer();
  } else if (!text.starts_with("{")) {
    policy.byDefault = text.str();
    return policy;
  }
  if (failed(PolicyReader(policy, loc).read(text)))
    return failure();
  return policy;
}

std::string exactly(StringRef key) {
  std::string text;
  for (char c : key) {
    if (StringRef("*?[]{}\\!").contains(c))
      text += '\\';
    text += c;
  }
  return text;
}

bool Policy::Rule::fits(StringRef key) const {
  return llvm::cantFail(llvm::GlobPattern::create(keys)).match(key); // it refers to its text, and is not kept
}

StringRef Policy::precisionOf(StringRef key) const {
  for (const Rule &rule : rules)
    if (rule.fits(key))
      return rule.precision;
  return byDefault;
}

std::vector<std::string> Policy::precisions() const {
  std::vector<std::string> found{byDefault};
  for (const Rule &rule : rules)
    if (!llvm::is_contained(found, rule.precision))
      found.push_back(rule.precision);
  return found;
}

LogicalResult Policy::checkFits(ArrayRef<std::string> keys, Location loc) const {
  for (const Rule &rule : rules)
    if (llvm::none_of(keys, [&](const std::string &key) { return rule.fits(key); })) {
      InFlightDiagnostic error = emitError(loc);
      error << name << ": found a rule for the weights \"" << rule.keys << "\", but it fits none of the model's "
            << keys.size() << " layers";
      if (!keys.empty())
        error << ", such as \"" << keys.front() << "\"";
      return error;
    }
  return success();
}

} // namespace tamis::precision
