// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Templates of the subset of Jinja that chat templates use.

#ifndef TAMIS_TOOLS_TEXT_JINJA_TEMPLATE_H
#define TAMIS_TOOLS_TEXT_JINJA_TEMPLATE_H

#include "tamis/tamis.hpp"
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tamis::text::jinja {

struct Node;

/// A template, as the jinja2 package writes it with trim_blocks and lstrip_blocks: if, for, set, macro, break,
/// continue, namespace(), range(), expressions, the filters, tests and methods of Filters.cpp. Work, output and depth
/// of one rendering are bounded. Immutable, and usable by many threads.
class Template {
public:
  /// Errors: no template; what is not supported, by name. The line is given.
  static Result<Template> parse(const std::string &source);

  /// Errors: filters, tests and methods that are not supported; operations that their operands do not have; what the
  /// template itself refuses (raise_exception); more than 16 MiB of output or some million steps.
  Result<std::string> render(const nlohmann::ordered_json &variables) const;

  Template(Template &&) noexcept;
  Template &operator=(Template &&) noexcept;
  ~Template();

private:
  explicit Template(std::vector<std::unique_ptr<Node>> statements);
  std::vector<std::unique_ptr<Node>> statements;
};

} // namespace tamis::text::jinja

#endif // TAMIS_TOOLS_TEXT_JINJA_TEMPLATE_H
