// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pictures of a page about a plan.

#include "tools/tamis/Pictures.h"
#include "tools/tamis/Html.h"
#include "tools/tamis/Table.h"
#include <algorithm>

namespace tamis::tool {

std::string arcsPicture(const std::vector<DispatchFlow> &flows) {
  constexpr int most = 110; // pixels that an arc reaches to the left
  size_t longest = 1;
  for (size_t i = 0; i < flows.size(); ++i)
    for (size_t producer : flows[i].producers)
      longest = std::max(longest, i - producer);
  int width = std::min<int>(most, 14 + 10 * int(longest)) + 6;
  int height = (int(flows.size()) + 1) * kRowHeight;
  std::string svg = format("<svg width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"which dispatch reads which\">\n",
                           width, height);
  for (size_t i = 0; i < flows.size(); ++i) {
    for (size_t producer : flows[i].producers) {
      size_t length = i - producer;
      int reach = std::min<int>(most, 8 + int(10 * length)), x = width - 4;
      double top = (double(producer) + 1.5) * kRowHeight, bottom = (double(i) + 1.5) * kRowHeight;
      svg += format("<path class=\"arc\" data-d=\"%zu %zu\" d=\"M%d %g C%d %g %d %g %d %g\"><title>dispatch %zu reads "
                    "what dispatch %zu computed</title></path>\n",
                    i, producer, x, top, x - reach, top, x - reach, bottom, x, bottom, i, producer);
    }
    svg += format("<circle cx=\"%d\" cy=\"%g\" r=\"3\" fill=\"%s\"/>\n", width - 4, (double(i) + 1.5) * kRowHeight,
                  html::colour(flows[i].kernel));
  }
  return svg + "</svg>\n";
}

std::string arenaPicture(const Inspection &inspection, const std::vector<DispatchFlow> &flows) {
  constexpr double left = 74, top = 8, height = 340, bottom = 36;
  size_t count = std::max<size_t>(flows.size(), 1);
  double column = std::clamp(1180.0 / double(count), 5.0, 60.0), width = column * double(count);
  double scale = height / double(std::max<int64_t>(inspection.memory.arena_bytes, 1));
  std::string svg = format("<svg width=\"%g\" height=\"%g\" role=\"img\" aria-label=\"the arena over time\">\n",
                           left + width + 20, top + height + bottom);
  for (int i = 0; i <= 4; ++i) {
    double y = top + height * (4 - i) / 4;
    svg += format("<line x1=\"%g\" y1=\"%g\" x2=\"%g\" y2=\"%g\" stroke=\"#e3e6ea\"/>"
                  "<text x=\"%g\" y=\"%g\" text-anchor=\"end\">%s</text>\n",
                  left, y, left + width, y, left - 6, y + 4,
                  bytesText(double(inspection.memory.arena_bytes) * i / 4).c_str());
  }
  for (size_t writer = 0; writer < flows.size(); ++writer) {
    for (size_t number : flows[writer].buffers) {
      const tamis_arena_buffer &buffer = inspection.buffers[number];
      double x = left + column * double(buffer.first), w = column * double(buffer.last - buffer.first + 1);
      double h = std::max(double(buffer.size) * scale, buffer.size ? 1.0 : 0.0);
      double y = top + height - double(buffer.offset) * scale - h;
      svg += format("<rect class=\"buffer\" data-d=\"%zu\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
                    "fill=\"%s\"><title>%s: %s at offset %lld, written by dispatch %zu, read until dispatch %zu"
                    "</title></rect>\n",
                    writer, x, y, w, h, html::colour(flows[writer].kernel), html::escape(buffer.name).c_str(),
                    bytesText(double(buffer.size)).c_str(), static_cast<long long>(buffer.offset), buffer.first,
                    buffer.last);
      if (h >= 12 && w >= 14)
        svg += format("<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"middle\" style=\"fill:#fff;pointer-events:none\">%zu"
                      "</text>\n",
                      x + w / 2, y + h / 2 + 4, writer);
    }
  }
  size_t step = std::max<size_t>(1, size_t(28 / column));
  for (size_t i = 0; i < flows.size(); i += step)
    svg += format("<text x=\"%.2f\" y=\"%g\" text-anchor=\"middle\">%zu</text>\n", left + column * (double(i) + 0.5),
                  top + height + 15, i);
  svg += format("<text x=\"%g\" y=\"%g\">dispatches, in order</text>\n", left, top + height + 31);
  return svg + "</svg>\n";
}

} // namespace tamis::tool
