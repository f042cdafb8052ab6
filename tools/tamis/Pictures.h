// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pictures of a page about a plan, as SVG.

#ifndef TAMIS_TOOLS_TAMIS_PICTURES_H
#define TAMIS_TOOLS_TAMIS_PICTURES_H

#include "tools/tamis/Dataflow.h"

namespace tamis::tool {

/// Height of a row of the table beside the arcs, in pixels.
inline constexpr int kRowHeight = 22;

/// An arc from each dispatch to each that reads its results, down the left of a table that has a row of titles and then
/// one row a dispatch.
std::string arcsPicture(const std::vector<DispatchFlow> &flows);

/// The arena over time: dispatches from left to right, offsets from below to above, a rectangle a buffer.
std::string arenaPicture(const Inspection &inspection, const std::vector<DispatchFlow> &flows);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_PICTURES_H
