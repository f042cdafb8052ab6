// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rules are those of the manual of nvcc, chapter "GPU compilation": PTX and machine code of a plain target run on
// later devices (machine code within its major number), of an 'a' target on no other, of an 'f' target within its
// family.

#include "runtime/device/cuda/TargetFit.h"
#include <cstdio>
#include <cstring>

namespace tamis::cuda {

bool Target::parse(const char *name, Target &target) {
  if (strncmp(name, "sm_", 3))
    return false;
  const char *at = name + 3;
  int number = 0, digits = 0;
  for (; *at >= '0' && *at <= '9' && digits < 4; ++at, ++digits)
    number = 10 * number + (*at - '0');
  target = {};
  target.capability = {number / 10, number % 10};
  if (*at == 'a' || *at == 'f')
    target.kind = *at++;
  target.isCubin = !strcmp(at, kCubinEnding);
  return digits >= 2 && (target.isCubin || !*at);
}

bool Target::fits(ComputeCapability device, char *reason, size_t room) const {
  bool sameMajor = device.major == capability.major;
  bool isLater = device.major > capability.major || (sameMajor && device.minor >= capability.minor);
  if (kind == 'a') {
    if (sameMajor && device.minor == capability.minor)
      return true;
    snprintf(reason, room, "needs compute capability %d.%d exactly, the device has %d.%d", capability.major,
             capability.minor, device.major, device.minor);
    return false;
  }
  bool withinMajor = isCubin || kind == 'f';
  if (isLater && (sameMajor || !withinMajor))
    return true;
  snprintf(reason, room, "needs compute capability %d.%d or later%s, the device has %d.%d", capability.major,
           capability.minor, withinMajor ? " of the same major number" : "", device.major, device.minor);
  return false;
}

int Target::rank() const {
  return 8 * (10 * capability.major + capability.minor) + (kind == 'a' ? 4 : kind == 'f' ? 2 : 0) + isCubin;
}

} // namespace tamis::cuda
