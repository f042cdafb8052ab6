// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pieces of HTML and SVG.

#include "tools/tamis/Html.h"

namespace tamis::tool::html {

std::string escape(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '"')
      result += "&quot;";
    else if (static_cast<unsigned char>(c) < 32 && c != '\n')
      result += ' ';
    else
      result += c;
  }
  return result;
}

static std::string cells(const std::vector<Cell> &list, const std::string &element) {
  std::string result;
  for (const Cell &cell : list)
    result += "<" + element + (cell.isNumber ? " class=\"number\">" : ">") + cell.content + "</" + element + ">";
  return result;
}

std::string row(const std::vector<Cell> &list, const std::string &attributes) {
  return "<tr" + attributes + ">" + cells(list, "td") + "</tr>\n";
}

std::string titles(const std::vector<Cell> &list) {
  return "<tr>" + cells(list, "th") + "</tr>\n";
}

const char *colour(size_t kernel) {
  static const char *const colours[] = {"#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377",
                                        "#997700", "#99ddff", "#ee8866", "#44bb99", "#bbbbbb", "#555555"};
  return colours[kernel % (sizeof colours / sizeof *colours)];
}

const char *const kStyle = R"css(
body { font: 14px/1.45 system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto; max-width: 1900px; padding: 16px 24px 60px }
h1 { font-size: 22px; margin: 8px 0 2px }
h2 { font-size: 17px; margin: 34px 0 4px; border-bottom: 1px solid #ddd }
p { margin: 4px 0 10px; max-width: 95ch; color: #444 }
nav a { margin-right: 14px }
a { color: #2b5d9b }
table { border-collapse: collapse }
th { text-align: left; font-weight: 600; color: #555 }
th, td { padding: 0 9px; height: 22px; line-height: 22px; white-space: nowrap }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
tr:hover td, tr.marked td { background: #fff3c4 }
pre, code { font: 12px/1.4 ui-monospace, monospace }
pre { overflow-x: auto; background: #f7f7f7; padding: 8px; margin: 4px 0 }
.facts { display: flex; flex-wrap: wrap; gap: 10px; margin: 10px 0 }
.facts div { background: #f4f6f9; border-radius: 6px; padding: 6px 14px; min-width: 110px }
.facts b { display: block; font-size: 18px }
.facts span { color: #666; font-size: 12px }
.side { display: flex; overflow-x: auto }
.side svg { flex: none }
.bar { display: inline-block; height: 11px; vertical-align: middle; margin-right: 6px }
.key { display: inline-block; width: 11px; height: 11px; border-radius: 2px; vertical-align: -1px; margin-right: 6px }
.nodes { color: #555 }
svg text { font: 11px system-ui, sans-serif; fill: #444 }
svg .buffer { stroke: #fff; stroke-width: 1 }
svg .arc { fill: none; stroke: #9aa7b5; stroke-width: 1.3 }
svg .marked { stroke: #d0500a; stroke-width: 2.5 }
summary { cursor: pointer; margin: 6px 0; font-weight: 600 }
summary span { font-weight: 400; color: #666 }
.ir { max-height: 620px; overflow: auto; counter-reset: line }
.ir div { white-space: pre; min-height: 1.4em }
.ir .gone { background: #fde4e1 } .ir .gone::before { content: "- " }
.ir .come { background: #dff3e0 } .ir .come::before { content: "+ " }
.ir .same::before { content: "  " }
.ir .left { color: #777; background: #eee }
.onlynew .gone { display: none }
)css";

// Pointing at a dispatch, an arc or a buffer marks all that belong to the dispatch.
const char *const kScript = R"js(
for (const on of document.querySelectorAll('[data-d]')) {
  const mark = yes => {
    for (const other of document.querySelectorAll('[data-d~="' + on.dataset.d.split(' ')[0] + '"]'))
      other.classList.toggle('marked', yes);
  };
  on.addEventListener('mouseenter', () => mark(true));
  on.addEventListener('mouseleave', () => mark(false));
}
for (const box of document.querySelectorAll('input[data-hides]'))
  box.addEventListener('change', () => document.getElementById(box.dataset.hides).classList.toggle('onlynew', !box.checked));
)js";

} // namespace tamis::tool::html
