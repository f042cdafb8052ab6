// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Templates as trees.

#ifndef TAMIS_TOOLS_TEXT_JINJA_SYNTAX_H
#define TAMIS_TOOLS_TEXT_JINJA_SYNTAX_H

#include "tools/text/jinja/Value.h"
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tamis::text::jinja {

struct Node;
using NodePtr = std::unique_ptr<Node>;

/// A statement or an expression.
struct Node {
  enum class Kind {
    // Statements. `body` and `other` are lists of them.
    text,      ///< constant
    write,     ///< parts[0]
    condition, ///< if parts[0]: body, else other
    loop,      ///< for names in parts[0], if parts[1] where it is there: body; without elements other
    set,       ///< names, or the attribute `name` of names[0], become parts[0], or what body writes
    macro,     ///< `name`, of parameters names, of which the last have the defaults parts: body
    leave,     ///< break
    next,      ///< continue
    group,     ///< body
    // Expressions.
    constant,
    name,
    list,
    dict,      ///< parts: keys and values in turn
    attribute, ///< parts[0].name
    item,      ///< parts[0][parts[1]]
    slice,     ///< parts[0][parts[1]:parts[2]:parts[3]], of which any but the first may be null
    call,      ///< parts[0](the other parts, named)
    filter,    ///< parts[0]|name(the other parts, named)
    test,      ///< parts[0] is name(the other parts)
    unary,     ///< name: "-", "+", "not"
    binary,    ///< name: an operator
    choice     ///< parts[0] if parts[1] else parts[2], which may be null
  } kind;
  std::string name;
  Json constant;
  std::vector<std::string> names;
  std::vector<NodePtr> parts, body, other;
  std::vector<std::pair<std::string, NodePtr>> named;
  bool isTuple = false; ///< a loop or set of several names
  size_t line = 0;
};

/// Reads a template as Jinja does with trim_blocks and lstrip_blocks set, which is how chat templates are meant. Throws
/// TemplateError, with the line: what is no template, or not supported.
std::vector<NodePtr> parseTemplate(const std::string &source);

} // namespace tamis::text::jinja

#endif // TAMIS_TOOLS_TEXT_JINJA_SYNTAX_H
