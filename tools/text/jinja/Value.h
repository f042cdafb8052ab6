// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What templates compute with.

#ifndef TAMIS_TOOLS_TEXT_JINJA_VALUE_H
#define TAMIS_TOOLS_TEXT_JINJA_VALUE_H

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tamis::text::jinja {

using Json = nlohmann::ordered_json;

/// Why a template cannot be executed.
class TemplateError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

struct Value;
struct Arguments {
  std::vector<Value> plain;
  std::vector<std::pair<std::string, Value>> named;
};

/// Data as JSON has it, or one of what Jinja has besides. Strings are of UTF-8, and counted in characters.
struct Value {
  enum class Kind { undefined, data, space, function } kind = Kind::undefined;
  Json json;                                                   ///< data
  std::string name;                                            ///< undefined: what was looked for
  std::shared_ptr<Json> space;                                 ///< of namespace(): an object that may be changed
  std::shared_ptr<std::function<Value(Arguments &)>> function; ///< a macro

  Value() = default;
  Value(Json json) : kind(Kind::data), json(std::move(json)) {}
  static Value undefined(std::string name) {
    Value value;
    value.name = std::move(name);
    return value;
  }

  bool isUndefined() const { return kind == Kind::undefined; }
  bool isString() const { return kind == Kind::data && json.is_string(); }
  const std::string &string() const { return json.get_ref<const std::string &>(); }
};

/// As Python: empty ones, zero, None and what is undefined are false.
bool isTrue(const Value &value);
/// What {{ value }} writes: None, True, 1.5, and lists and dicts as Python spells them.
std::string textOf(const Value &value);
/// What Python's repr() gives.
std::string spelling(const Json &json);
/// The type as Python calls it.
std::string typeOf(const Value &value);
/// What Python's json.dumps gives with ensure_ascii=False; `indent` < 0: on one line.
std::string dumped(const Json &json, int indent, int level = 0);
/// The data of a value; throws for those that are none.
const Json &dataOf(const Value &value, const char *what);
bool areEqual(const Value &a, const Value &b);
/// Numbers, or strings, by size; throws for others.
bool isLess(const Json &a, const Json &b);
/// The elements of a list, the keys of a dict, the characters of a string.
std::vector<Json> elementsOf(const Value &value);
std::vector<std::string> charactersOf(const std::string &text);

/// The filters and tests that need no more than values; throw TemplateError for names that are not known.
Value filtered(const std::string &name, const Value &value, const Arguments &arguments);
bool isOfTest(const std::string &name, const Value &value, const Arguments &arguments);
/// A method of a string or a dict.
Value methodOf(const Value &value, const std::string &name, const Arguments &arguments);

/// The argument at a place or of a name; null where there is none.
const Value *argument(const Arguments &arguments, size_t place, const char *name);

} // namespace tamis::text::jinja

#endif // TAMIS_TOOLS_TEXT_JINJA_VALUE_H
