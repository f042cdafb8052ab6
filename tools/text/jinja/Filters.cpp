// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Filters, tests and methods of templates, as Jinja and Python define them.

#include "tools/text/Split.h"
#include "tools/text/Unicode.h"
#include "tools/text/jinja/Value.h"
#include <algorithm>
#include <cmath>

namespace tamis::text::jinja {

static const std::string &textArgument(const Arguments &arguments, size_t place, const char *name, const char *of) {
  const Value *value = argument(arguments, place, name);
  if (!value || !value->isString())
    throw TemplateError(std::string(of) + " wants a string as its '" + name + "'");
  return value->string();
}

static int64_t integerOr(const Arguments &arguments, size_t place, const char *name, int64_t missing) {
  const Value *value = argument(arguments, place, name);
  if (!value || value->isUndefined() || (value->kind == Value::Kind::data && value->json.is_null()))
    return missing;
  const Json &json = dataOf(*value, "is where an integer is wanted");
  if (json.is_boolean())
    return json.get<bool>();
  if (!json.is_number_integer())
    throw TemplateError("a " + typeOf(*value) + " is where an integer is wanted");
  return json.get<int64_t>();
}

/// Without the characters of `set` at its ends; without white space where there is none.
static std::string strippedOf(const std::string &text, const Value *set, bool left, bool right) {
  if (!set || set->isUndefined() || (set->kind == Value::Kind::data && set->json.is_null()))
    return std::string(stripped(text, left, right));
  std::vector<std::string> letters = charactersOf(text), dropped = charactersOf(set->string());
  auto isDropped = [&](const std::string &letter) {
    return std::find(dropped.begin(), dropped.end(), letter) != dropped.end();
  };
  size_t begin = 0, end = letters.size();
  while (left && begin < end && isDropped(letters[begin]))
    ++begin;
  while (right && end > begin && isDropped(letters[end - 1]))
    --end;
  std::string kept;
  for (size_t i = begin; i < end; ++i)
    kept += letters[i];
  return kept;
}

static std::string replaced(const std::string &text, const std::string &from, const std::string &to, int64_t most) {
  if (from.empty())
    throw TemplateError("nothing is replaced by something, which is not supported");
  std::string result;
  size_t at = 0;
  for (size_t found; most != 0 && (found = text.find(from, at)) != std::string::npos; --most) {
    result += text.substr(at, found - at) + to;
    at = found + from.size();
  }
  return result + text.substr(at);
}

/// `isEach`: of every word; the rest of each in lower case.
static std::string capitalized(const std::string &text, bool isEach) {
  std::string result;
  bool isStart = true;
  for (const std::string &letter : charactersOf(text)) {
    result += isStart ? toUpper(letter) : toLower(letter);
    isStart = isEach && toLower(letter) == toUpper(letter);
  }
  return result;
}

static Json splitText(const std::string &text, const Value *separator, int64_t most, bool fromRight) {
  Json parts = Json::array();
  bool isBlank =
      !separator || separator->isUndefined() || (separator->kind == Value::Kind::data && separator->json.is_null());
  if (isBlank) {
    if (most >= 0)
      throw TemplateError("split() at white space with a limit is not supported");
    std::string word;
    for (const std::string &letter : charactersOf(text + " ")) {
      size_t at = 0;
      if (!isWhiteSpace(nextCharacter(letter, at)))
        word += letter;
      else if (!word.empty())
        parts.push_back(std::move(word)), word.clear();
    }
    return parts;
  }
  const std::string &by = separator->string();
  if (by.empty())
    throw TemplateError("split() has an empty separator");
  std::vector<std::string> all;
  size_t at = 0;
  for (size_t found; (found = text.find(by, at)) != std::string::npos; at = found + by.size())
    all.push_back(text.substr(at, found - at));
  all.push_back(text.substr(at));
  // Beyond the limit parts stay together.
  while (most >= 0 && int64_t(all.size()) > most + 1) {
    size_t first = fromRight ? 0 : all.size() - 2;
    all[first] += by + all[first + 1];
    all.erase(all.begin() + int64_t(first) + 1);
  }
  for (std::string &part : all)
    parts.push_back(std::move(part));
  return parts;
}

Value methodOf(const Value &value, const std::string &name, const Arguments &arguments) {
  const Json &json = dataOf(value, ("has no method '" + name + "'").c_str());
  const Value *first = argument(arguments, 0, "");
  if (json.is_object()) {
    if (name == "items" || name == "keys" || name == "values") {
      Json list = Json::array();
      for (const auto &[key, each] : json.items())
        list.push_back(name == "keys" ? Json(key) : name == "values" ? each : Json::array({key, each}));
      return list;
    }
    if (name == "get") {
      auto it = first && first->isString() ? json.find(first->string()) : json.end();
      if (it != json.end())
        return *it;
      return arguments.plain.size() > 1 ? arguments.plain[1] : Value(Json(nullptr));
    }
  }
  if (json.is_string()) {
    const std::string &text = value.string();
    if (name == "strip" || name == "lstrip" || name == "rstrip")
      return Json(strippedOf(text, first, name != "rstrip", name != "lstrip"));
    if (name == "upper" || name == "lower")
      return Json(name == "upper" ? toUpper(text) : toLower(text));
    if (name == "title" || name == "capitalize")
      return Json(capitalized(text, name == "title"));
    if (name == "startswith" || name == "endswith") {
      std::vector<Json> candidates;
      if (first && first->kind == Value::Kind::data)
        candidates = first->json.is_array() ? elementsOf(*first) : std::vector<Json>{first->json};
      bool holds = false;
      for (const Json &each : candidates) {
        if (!each.is_string())
          throw TemplateError(name + "() wants a string");
        const auto &part = each.get_ref<const std::string &>();
        holds |= name == "startswith" ? text.starts_with(part) : text.ends_with(part);
      }
      return Json(holds);
    }
    if (name == "split" || name == "rsplit")
      return splitText(text, argument(arguments, 0, "sep"), integerOr(arguments, 1, "maxsplit", -1), name == "rsplit");
    if (name == "replace")
      return Json(replaced(text, textArgument(arguments, 0, "old", "replace()"),
                           textArgument(arguments, 1, "new", "replace()"), integerOr(arguments, 2, "count", -1)));
    if (name == "join")
      return filtered("join", first ? *first : Value(), {{value}, {}});
    if (name == "find" || name == "count") {
      const std::string &part = textArgument(arguments, 0, "sub", name.c_str());
      size_t found = text.find(part);
      if (name == "find")
        return Json(found == std::string::npos ? int64_t(-1) : int64_t(charactersOf(text.substr(0, found)).size()));
      int64_t count = 0;
      for (; found != std::string::npos && !part.empty(); found = text.find(part, found + part.size()))
        ++count;
      return Json(count);
    }
  }
  throw TemplateError("a " + typeOf(value) + " has no method '" + name + "' that is supported");
}

/// What `a.b.0` finds in a value; undefined where it is not there.
static Value attributeOf(const Json &json, const std::string &path) {
  const Json *at = &json;
  const Value point(Json("."));
  for (const Json &part : splitText(path, &point, -1, false)) {
    const auto &name = part.get_ref<const std::string &>();
    bool isNumber = !name.empty() && name.find_first_not_of("0123456789") == std::string::npos && name.size() < 9;
    if (at->is_object() && at->contains(name))
      at = &(*at)[name];
    else if (at->is_array() && isNumber && size_t(std::stoi(name)) < at->size())
      at = &(*at)[size_t(std::stoi(name))];
    else
      return Value::undefined(name);
  }
  return *at;
}

/// As Python's splitlines() tells lines apart, with what follows the last end.
static std::vector<std::string> linesOf(const std::string &text) {
  std::vector<std::string> lines(1);
  bool wasReturn = false;
  for (const std::string &letter : charactersOf(text)) {
    size_t at = 0;
    uint32_t c = nextCharacter(letter, at);
    bool isEnd = (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
    if (isEnd && !(c == '\n' && wasReturn))
      lines.emplace_back();
    else if (!isEnd)
      lines.back() += letter;
    wasReturn = c == '\r';
  }
  return lines;
}

/// select, reject, selectattr, rejectattr, map: those that go through a list.
static Value mapped(const std::string &name, const Value &value, const Arguments &arguments) {
  Json result = Json::array();
  bool isMap = name == "map", ofAttribute = name == "selectattr" || name == "rejectattr";
  std::string attribute = ofAttribute ? textArgument(arguments, 0, "attribute", name.c_str()) : "";
  size_t rest = ofAttribute ? 1 : 0;
  const Value *mapAttribute = isMap ? argument(arguments, 99, "attribute") : nullptr;
  const Value *how = rest < arguments.plain.size() ? &arguments.plain[rest] : nullptr;
  if (isMap && !mapAttribute && !how)
    throw TemplateError("map() wants a filter or an attribute");
  Arguments further;
  if (arguments.plain.size() > rest + 1)
    further.plain.assign(arguments.plain.begin() + int64_t(rest) + 1, arguments.plain.end());
  for (const Json &each : elementsOf(value)) {
    Value found = ofAttribute ? attributeOf(each, attribute) : Value(each);
    if (isMap) {
      found = mapAttribute ? attributeOf(each, mapAttribute->string()) : filtered(how->string(), found, further);
      const Value *missing = argument(arguments, 99, "default");
      if (found.isUndefined() && missing)
        found = *missing;
      result.push_back(found.isUndefined() ? Json("") : dataOf(found, "is put into a list"));
      continue;
    }
    bool holds = how ? isOfTest(how->string(), found, further) : isTrue(found);
    if (holds == name.starts_with("select"))
      result.push_back(each);
  }
  return result;
}

Value filtered(const std::string &name, const Value &value, const Arguments &arguments) {
  if (name == "default" || name == "d") {
    const Value *other = argument(arguments, 0, "default_value"), *boolean = argument(arguments, 1, "boolean");
    bool isMissing = value.isUndefined() || (boolean && isTrue(*boolean) && !isTrue(value));
    return !isMissing ? value : other ? *other : Value(Json(""));
  }
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr" || name == "map")
    return mapped(name, value, arguments);
  if (name == "safe" || name == "string")
    return Json(textOf(value));
  if (name == "tojson") {
    return Json(
        dumped(dataOf(value, "is made JSON"), int(std::min<int64_t>(integerOr(arguments, 0, "indent", -1), 64))));
  }
  if (name == "length" || name == "count")
    return Json(elementsOf(value).size());
  if (name == "list")
    return Json(elementsOf(value));
  if (name == "first" || name == "last") {
    std::vector<Json> elements = elementsOf(value);
    if (elements.empty())
      return Value::undefined(name);
    return name == "first" ? elements.front() : elements.back();
  }
  if (name == "join") {
    const Value *by = argument(arguments, 0, "d"), *attribute = argument(arguments, 1, "attribute");
    std::string text;
    bool isFirst = true;
    for (const Json &each : elementsOf(value)) {
      text += isFirst || !by ? "" : textOf(*by);
      text += textOf(attribute ? attributeOf(each, attribute->string()) : Value(each));
      isFirst = false;
    }
    return Json(text);
  }
  if (name == "reverse") {
    std::vector<Json> elements = elementsOf(value);
    std::reverse(elements.begin(), elements.end());
    if (!value.isString())
      return Json(elements);
    std::string text;
    for (const Json &each : elements)
      text += each.get_ref<const std::string &>();
    return Json(text);
  }
  if (name == "unique") {
    Json result = Json::array();
    for (const Json &each : elementsOf(value))
      if (std::find(result.begin(), result.end(), each) == result.end())
        result.push_back(each);
    return result;
  }
  if (name == "sort" && arguments.plain.empty() && arguments.named.empty()) {
    std::vector<Json> elements = elementsOf(value);
    std::stable_sort(elements.begin(), elements.end(), isLess);
    return Json(elements);
  }
  if (name == "items" || name == "dictsort") {
    Json list = value.isUndefined() ? Json(Json::array()) : methodOf(value, "items", {}).json;
    if (name == "dictsort")
      std::stable_sort(list.begin(), list.end(), [](const Json &a, const Json &b) { return isLess(a[0], b[0]); });
    return list;
  }
  if (name == "upper" || name == "lower" || name == "title" || name == "capitalize")
    return methodOf(Json(textOf(value)), name, {});
  if (name == "trim")
    return Json(strippedOf(textOf(value), argument(arguments, 0, "chars"), true, true));
  if (name == "replace")
    return methodOf(Json(textOf(value)), name, arguments);
  if (name == "int" || name == "float") {
    const Json &json = dataOf(value, "is made a number");
    double number = json.is_string()    ? std::strtod(value.string().c_str(), nullptr)
                    : json.is_boolean() ? double(json.get<bool>())
                    : json.is_number()  ? json.get<double>()
                                        : 0;
    if (name == "int" && json.is_number_integer())
      return json;
    return name == "float" ? Json(number) : Json(int64_t(std::clamp(number, -9e18, 9e18)));
  }
  if (name == "abs") {
    const Json &json = dataOf(value, "is made positive");
    if (json.is_number_integer())
      return Json(std::abs(json.get<int64_t>()));
    if (json.is_number())
      return Json(std::abs(json.get<double>()));
  }
  if (name == "indent") {
    int64_t width = std::clamp<int64_t>(integerOr(arguments, 0, "width", 4), 0, 256);
    const Value *first = argument(arguments, 1, "first"), *blank = argument(arguments, 2, "blank");
    std::string pad(size_t(width), ' '), result = first && isTrue(*first) ? pad : "";
    bool isStart = true;
    for (const std::string &line : linesOf(textOf(value))) {
      if (!isStart)
        result += "\n" + (line.empty() && !(blank && isTrue(*blank)) ? std::string() : pad);
      isStart = false;
      result += line;
    }
    return Json(result);
  }
  throw TemplateError("the filter '" + name + "' is not supported");
}

bool isOfTest(const std::string &name, const Value &value, const Arguments &arguments) {
  bool isData = value.kind == Value::Kind::data;
  const Json &json = value.json;
  const Value *other = argument(arguments, 0, "");
  auto another = [&]() -> const Value & {
    if (!other)
      throw TemplateError("the test '" + name + "' wants something to compare with");
    return *other;
  };
  if (name == "defined" || name == "undefined")
    return value.isUndefined() == (name == "undefined");
  if (name == "none")
    return isData && json.is_null();
  if (name == "string")
    return isData && json.is_string();
  if (name == "mapping")
    return isData && json.is_object();
  if (name == "iterable" || name == "sequence")
    return (name == "iterable" && value.isUndefined()) || (isData && (json.is_structured() || json.is_string()));
  if (name == "number")
    return isData && (json.is_number() || json.is_boolean());
  if (name == "integer")
    return isData && json.is_number_integer();
  if (name == "float")
    return isData && json.is_number_float();
  if (name == "boolean")
    return isData && json.is_boolean();
  if (name == "true" || name == "false")
    return isData && json.is_boolean() && json.get<bool>() == (name == "true");
  if (name == "callable")
    return value.kind == Value::Kind::function;
  if (name == "odd" || name == "even" || name == "divisibleby") {
    if (!isData || !json.is_number_integer())
      throw TemplateError("the test '" + name + "' wants an integer");
    int64_t by = name == "divisibleby" ? integerOr(arguments, 0, "num", 0) : 2;
    if (!by)
      throw TemplateError("something is divided by zero");
    return (json.get<int64_t>() % by != 0) == (name == "odd");
  }
  if (name == "equalto" || name == "eq" || name == "==" || name == "sameas")
    return areEqual(value, another());
  if (name == "ne" || name == "!=")
    return !areEqual(value, another());
  if (name == "in") {
    if (another().isString() && value.isString())
      return other->string().find(value.string()) != std::string::npos;
    std::vector<Json> elements = elementsOf(*other);
    return std::any_of(elements.begin(), elements.end(), [&](const Json &each) { return areEqual(value, each); });
  }
  if (name == "lt" || name == "lessthan")
    return isLess(dataOf(value, "is compared"), dataOf(another(), "is compared"));
  if (name == "gt" || name == "greaterthan")
    return isLess(dataOf(another(), "is compared"), dataOf(value, "is compared"));
  throw TemplateError("the test '" + name + "' is not supported");
}

} // namespace tamis::text::jinja
