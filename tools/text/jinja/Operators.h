// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operators of templates.

#ifndef TAMIS_TOOLS_TEXT_JINJA_OPERATORS_H
#define TAMIS_TOOLS_TEXT_JINJA_OPERATORS_H

#include "tools/text/jinja/Value.h"

namespace tamis::text::jinja {

/// + - * / // % ** ~ == != < <= > >= in "not in".
Value combined(const std::string &sign, const Value &a, const Value &b);
/// - + not.
Value negated(const std::string &sign, const Value &value);

/// Of a dict by key, of a list by index, which may count from the end; null where it is not there.
const Json *member(const Json &json, const Json &key);
/// One character of a string.
Value characterOf(const Value &text, const Value &index);
/// As Python slices lists and strings; bounds may be None.
Value sliced(const Value &value, const Value &from, const Value &to, const Value &step);

int64_t integerOf(const Value &value);

} // namespace tamis::text::jinja

#endif // TAMIS_TOOLS_TEXT_JINJA_OPERATORS_H
