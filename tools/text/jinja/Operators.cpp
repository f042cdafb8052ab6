// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operators of templates, as Python defines them.

#include "tools/text/jinja/Operators.h"
#include <algorithm>
#include <cmath>

namespace tamis::text::jinja {

static constexpr size_t maxText = 16 << 20;

int64_t integerOf(const Value &value) {
  const Json &json = dataOf(value, "is where an integer is wanted");
  if (json.is_boolean())
    return json.get<bool>();
  if (!json.is_number_integer())
    throw TemplateError("a " + typeOf(value) + " is where an integer is wanted");
  return json.get<int64_t>();
}

const Json *member(const Json &json, const Json &key) {
  if (json.is_object() && key.is_string()) {
    auto it = json.find(key.get_ref<const std::string &>());
    return it == json.end() ? nullptr : &*it;
  }
  if (!json.is_array() || !key.is_number_integer())
    return nullptr;
  auto at = key.get<int64_t>(), size = int64_t(json.size());
  at += at < 0 ? size : 0;
  return at >= 0 && at < size ? &json[size_t(at)] : nullptr;
}

Value characterOf(const Value &text, const Value &index) {
  std::vector<std::string> characters = charactersOf(text.string());
  int64_t at = integerOf(index), size = int64_t(characters.size());
  at += at < 0 ? size : 0;
  return at >= 0 && at < size ? Value(Json(characters[size_t(at)])) : Value::undefined("index");
}

Value sliced(const Value &value, const Value &from, const Value &to, const Value &step) {
  if (dataOf(value, "is sliced").is_object())
    throw TemplateError("a dict is sliced");
  auto isNone = [](const Value &bound) { return bound.kind == Value::Kind::data && bound.json.is_null(); };
  std::vector<Json> elements = elementsOf(value), kept;
  int64_t by = isNone(step) ? 1 : integerOf(step), size = int64_t(elements.size());
  if (!by)
    throw TemplateError("a slice has a step of zero");
  auto bound = [&](const Value &given, int64_t missing) {
    if (isNone(given))
      return missing;
    int64_t at = integerOf(given);
    at += at < 0 ? size : 0;
    return std::clamp<int64_t>(at, by > 0 ? 0 : -1, by > 0 ? size : size - 1);
  };
  int64_t first = bound(from, by > 0 ? 0 : size - 1), end = bound(to, by > 0 ? size : -1);
  by = std::clamp<int64_t>(by, -size - 1, size + 1);
  for (int64_t i = first; by > 0 ? i < end : i > end; i += by)
    kept.push_back(std::move(elements[size_t(i)]));
  if (!value.isString())
    return Json(kept);
  std::string text;
  for (const Json &each : kept)
    text += each.get_ref<const std::string &>();
  return Json(std::move(text));
}

Value negated(const std::string &sign, const Value &value) {
  if (sign == "not")
    return Json(!isTrue(value));
  const Json &json = dataOf(value, "has a sign");
  if (!json.is_number())
    throw TemplateError("a " + typeOf(value) + " has a sign");
  if (sign == "+")
    return json;
  return json.is_number_float() ? Json(-json.get<double>()) : Json(int64_t(0 - uint64_t(json.get<int64_t>())));
}

static Value arithmetic(const std::string &sign, const Json &a, const Json &b) {
  auto number = [](const Json &json) { return json.is_boolean() ? double(json.get<bool>()) : json.get<double>(); };
  auto isInteger = [](const Json &json) { return json.is_number_integer() || json.is_boolean(); };
  bool divides = sign == "/" || sign == "//" || sign == "%";
  double x = number(a), y = number(b);
  if (divides && y == 0)
    throw TemplateError("something is divided by zero");
  if (isInteger(a) && isInteger(b) && sign != "/") {
    int64_t m = integerOf(a), n = integerOf(b), result = 0;
    bool overflows = false;
    if (sign == "+") {
      overflows = __builtin_add_overflow(m, n, &result);
    } else if (sign == "-") {
      overflows = __builtin_sub_overflow(m, n, &result);
    } else if (sign == "*") {
      overflows = __builtin_mul_overflow(m, n, &result);
    } else if (sign == "**") {
      result = 1;
      if (n < 0)
        return Json(std::pow(x, y));
      for (int64_t i = 0; i < n && !overflows && result != 0 && (m != 1); ++i)
        overflows = __builtin_mul_overflow(result, m == -1 ? (n % 2 ? -1 : 1) : m, &result), i = m == -1 ? n : i;
    } else {
      overflows = n == -1 && m == INT64_MIN;
      if (!overflows) {
        // Python rounds down.
        int64_t quotient = m / n - (m % n != 0 && (m < 0) != (n < 0));
        result = sign == "//" ? quotient : m - quotient * n;
      }
    }
    if (overflows)
      throw TemplateError("a number is too large");
    return Json(result);
  }
  if (sign == "//")
    return Json(std::floor(x / y));
  if (sign == "%")
    return Json(x - std::floor(x / y) * y);
  return Json(sign == "+" ? x + y : sign == "-" ? x - y : sign == "*" ? x * y : sign == "/" ? x / y : std::pow(x, y));
}

Value combined(const std::string &sign, const Value &a, const Value &b) {
  if (sign == "==" || sign == "!=")
    return Json(areEqual(a, b) == (sign == "=="));
  if (sign == "~") {
    std::string text = textOf(a) + textOf(b);
    if (text.size() > maxText)
      throw TemplateError("a text is too long");
    return Json(std::move(text));
  }
  if (sign == "in" || sign == "not in")
    return Json(isOfTest("in", a, {{b}, {}}) == (sign == "in"));
  std::string what = "is an operand of '" + sign + "'";
  const Json &x = dataOf(a, what.c_str()), &y = dataOf(b, what.c_str());
  if (sign == "<" || sign == ">")
    return Json(sign == "<" ? isLess(x, y) : isLess(y, x));
  if (sign == "<=" || sign == ">=")
    return Json(sign == "<=" ? !isLess(y, x) : !isLess(x, y));
  auto isNumber = [](const Json &json) { return json.is_number() || json.is_boolean(); };
  if (isNumber(x) && isNumber(y))
    return arithmetic(sign, x, y);
  if (sign == "+" && x.is_string() && y.is_string())
    return combined("~", a, b);
  if (sign == "+" && x.is_array() && y.is_array()) {
    Json list = x;
    list.insert(list.end(), y.begin(), y.end());
    return list;
  }
  if (sign == "*" && x.is_string() && y.is_number_integer()) {
    auto count = std::max<int64_t>(0, y.get<int64_t>());
    if (count > int64_t(maxText) || size_t(count) * a.string().size() > maxText)
      throw TemplateError("a text is too long");
    std::string text;
    for (int64_t i = 0; i < count; ++i)
      text += a.string();
    return Json(std::move(text));
  }
  throw TemplateError("'" + sign + "' of a " + typeOf(a) + " and a " + typeOf(b) + " is not supported");
}

} // namespace tamis::text::jinja
