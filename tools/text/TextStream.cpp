// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text as it becomes known, token by token.

#include "tools/text/TextStream.h"
#include "tools/text/Tokenizer.h"
#include <algorithm>

namespace tamis::text {

bool TextStream::add(std::string_view bytes) {
  text += bytes;
  size_t stop = std::string::npos, held = unfinishedBytes(text);
  for (const std::string &each : stops) {
    stop = std::min(stop, text.find(each, known > each.size() ? known - each.size() : 0));
    for (size_t size = std::min(each.size() - 1, text.size()); size > held; --size)
      if (text.compare(text.size() - size, size, each, 0, size) == 0)
        held = size;
  }
  if (stop != std::string::npos) {
    text.resize(stop);
    finish();
    return false;
  }
  known = std::max(known, text.size() - held);
  return true;
}

std::string_view TextStream::take() {
  std::string_view fresh = std::string_view(text).substr(taken, known - taken);
  taken = known;
  return fresh;
}

} // namespace tamis::text
