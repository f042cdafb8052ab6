// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors as values: how every runtime function reports a failure.

#ifndef TAMIS_RUNTIME_STATUS_STATUS_H
#define TAMIS_RUNTIME_STATUS_STATUS_H

#include "tamis/tamis.h"

namespace tamis::runtime {

/// Writes `status` and the printf-style message into `error`, which may be null, and returns `status`. A message that
/// does not fit is cut. Bytes below 0x20 that come from a damaged or hostile file are shown as '?', so that a message
/// cannot drive a terminal.
tamis_status fail(tamis_error *error, tamis_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

} // namespace tamis::runtime

/// Returns from the enclosing function when `expression`, a tamis_status, is a failure.
#define TAMIS_TRY(expression)                                                                                          \
  do {                                                                                                                 \
    if (tamis_status tamisTryStatus = (expression))                                                                    \
      return tamisTryStatus;                                                                                           \
  } while (false)

#endif // TAMIS_RUNTIME_STATUS_STATUS_H
