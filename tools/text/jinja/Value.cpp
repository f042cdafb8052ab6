// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What templates compute with.

#include "tools/text/jinja/Value.h"
#include "tools/text/Unicode.h"
#include <charconv>
#include <cmath>

namespace tamis::text::jinja {

const Value *argument(const Arguments &arguments, size_t place, const char *name) {
  if (place < arguments.plain.size())
    return &arguments.plain[place];
  for (const auto &[given, value] : arguments.named)
    if (given == name)
      return &value;
  return nullptr;
}

bool isTrue(const Value &value) {
  if (value.kind != Value::Kind::data)
    return value.kind != Value::Kind::undefined;
  const Json &json = value.json;
  if (json.is_boolean())
    return json.get<bool>();
  if (json.is_number())
    return json.get<double>() != 0;
  return json.is_string() ? !value.string().empty() : !json.is_null() && !json.empty();
}

/// The shortest digits that are the number, with a point, as Python writes it.
static std::string spelledFloat(double number) {
  if (std::isnan(number))
    return "nan";
  if (std::isinf(number))
    return number > 0 ? "inf" : "-inf";
  char digits[64];
  double size = std::abs(number);
  auto form = size != 0 && (size < 1e-4 || size >= 1e16) ? std::chars_format::scientific : std::chars_format::fixed;
  auto end = std::to_chars(digits, digits + sizeof(digits), number, form).ptr;
  std::string text(digits, end);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

static std::string spelledString(const std::string &text) {
  bool hasSingle = text.find('\'') != std::string::npos, hasDouble = text.find('"') != std::string::npos;
  char quote = hasSingle && !hasDouble ? '"' : '\'';
  std::string spelled(1, quote);
  for (char byte : text)
    if (byte == '\n')
      spelled += "\\n";
    else if (byte == '\r')
      spelled += "\\r";
    else if (byte == '\t')
      spelled += "\\t";
    else if (byte == '\\' || byte == quote)
      spelled += '\\', spelled += byte;
    else
      spelled += byte;
  return spelled + quote;
}

std::string spelling(const Json &json) {
  if (json.is_null())
    return "None";
  if (json.is_boolean())
    return json.get<bool>() ? "True" : "False";
  if (json.is_string())
    return spelledString(json.get_ref<const std::string &>());
  if (json.is_number_float())
    return spelledFloat(json.get<double>());
  if (!json.is_structured())
    return json.dump();
  std::string text;
  for (const auto &[key, each] : json.items())
    text += (text.empty() ? "" : ", ") + (json.is_object() ? spelledString(key) + ": " : "") + spelling(each);
  return json.is_object() ? "{" + text + "}" : "[" + text + "]";
}

std::string textOf(const Value &value) {
  if (value.isUndefined())
    return "";
  if (value.kind != Value::Kind::data)
    throw TemplateError("a " + typeOf(value) + " is written, which is no text");
  return value.isString() ? value.string() : spelling(value.json);
}

std::string typeOf(const Value &value) {
  switch (value.kind) {
  case Value::Kind::undefined:
    return "undefined";
  case Value::Kind::space:
    return "namespace";
  case Value::Kind::function:
    return "macro";
  case Value::Kind::data:
    break;
  }
  const Json &json = value.json;
  return json.is_null()           ? "none"
         : json.is_boolean()      ? "bool"
         : json.is_string()       ? "string"
         : json.is_number_float() ? "float"
         : json.is_number()       ? "int"
         : json.is_array()        ? "list"
                                  : "dict";
}

std::string dumped(const Json &json, int indent, int level) {
  if (json.is_number_float())
    return spelledFloat(json.get<double>());
  if (!json.is_structured())
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  char open = json.is_array() ? '[' : '{', close = json.is_array() ? ']' : '}';
  std::string text(1, open);
  std::string line = indent < 0 ? "" : "\n" + std::string(size_t(indent * (level + 1)), ' ');
  bool isFirst = true;
  for (const auto &[key, each] : json.items()) {
    if (!isFirst)
      text += indent < 0 ? ", " : ",";
    isFirst = false;
    text += line;
    if (json.is_object())
      text += Json(key).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
    text += dumped(each, indent, level + 1);
  }
  if (!isFirst && indent >= 0)
    text += "\n" + std::string(size_t(indent * level), ' ');
  return text + close;
}

const Json &dataOf(const Value &value, const char *what) {
  if (value.kind == Value::Kind::data)
    return value.json;
  if (value.isUndefined())
    throw TemplateError("'" + value.name + "' is undefined and " + what);
  throw TemplateError("a " + typeOf(value) + " " + what);
}

bool areEqual(const Value &a, const Value &b) {
  if (a.kind != b.kind)
    return false;
  switch (a.kind) {
  case Value::Kind::undefined:
    return true;
  case Value::Kind::space:
    return a.space == b.space;
  case Value::Kind::function:
    return a.function == b.function;
  case Value::Kind::data:
    break;
  }
  // In Python true is one.
  auto number = [](const Json &json) { return json.is_boolean() ? Json(int(json.get<bool>())) : json; };
  return number(a.json) == number(b.json);
}

bool isLess(const Json &a, const Json &b) {
  auto isNumber = [](const Json &json) { return json.is_number() || json.is_boolean(); };
  auto number = [](const Json &json) { return json.is_boolean() ? double(json.get<bool>()) : json.get<double>(); };
  if (a.is_number_integer() && b.is_number_integer())
    return a.get<int64_t>() < b.get<int64_t>();
  if (isNumber(a) && isNumber(b))
    return number(a) < number(b);
  if (a.is_string() && b.is_string())
    return a.get_ref<const std::string &>() < b.get_ref<const std::string &>();
  throw TemplateError("a " + typeOf(a) + " and a " + typeOf(b) + " are compared by size");
}

std::vector<std::string> charactersOf(const std::string &text) {
  std::vector<std::string> characters;
  for (size_t at = 0; at < text.size(); at += characters.back().size())
    characters.push_back(text.substr(at, characterBytes(text[at])));
  return characters;
}

std::vector<Json> elementsOf(const Value &value) {
  if (value.isUndefined())
    return {};
  const Json &json = dataOf(value, "is gone through");
  std::vector<Json> elements;
  if (json.is_array())
    elements.assign(json.begin(), json.end());
  else if (json.is_object())
    for (const auto &[key, each] : json.items())
      elements.push_back(key);
  else if (json.is_string())
    for (std::string &character : charactersOf(value.string()))
      elements.push_back(std::move(character));
  else
    throw TemplateError("a " + typeOf(value) + " is gone through");
  return elements;
}

} // namespace tamis::text::jinja
