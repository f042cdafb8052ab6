// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of the test plans, in the runtime's kernel ABI, where the compiler's would be. Built freestanding and linked
// as the compiler links: one r-- and one r-x segment, no relocation, no import.

#include <stdint.h>

#define KERNEL __attribute__((visibility("default"))) int32_t
#define ARGUMENTS void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch
#define UNUSED (void)buffers, (void)sizes, (void)begin, (void)end, (void)scratch

/// buffers: i64 in, i64 out. A group is one element: out = in + 1.
KERNEL increment(ARGUMENTS) {
  UNUSED;
  const int64_t *in = buffers[0];
  int64_t *out = buffers[1];
  for (int64_t i = begin; i < end; ++i)
    out[i] = in[i] + 1;
  return 0;
}

/// buffers: i64 ids[tokens], f32 table[10, 4], f32 out[tokens, 4]. A group is one token. Fails on an id outside [0,
/// 10).
KERNEL gather(ARGUMENTS) {
  UNUSED;
  const int64_t *ids = buffers[0];
  const float *table = buffers[1];
  float *out = buffers[2];
  for (int64_t i = begin; i < end; ++i) {
    if (ids[i] < 0 || ids[i] >= 10)
      return 1;
    for (int64_t j = 0; j < 4; ++j)
      out[i * 4 + j] = table[ids[i] * 4 + j];
  }
  return 0;
}

/// buffers: f32 rows[tokens, 4], f32 mask[batch, 2 * sequence], f32 out[tokens, 4]; sizes: batch, sequence; scratch:
/// four floats. A group is one token: out = 2 * row + the first mask value of its batch entry, by way of scratch.
KERNEL scale_by_scratch(ARGUMENTS) {
  UNUSED;
  const float *rows = buffers[0], *mask = buffers[1];
  float *out = buffers[2], *temporary = scratch;
  int64_t sequence = sizes[1];
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t j = 0; j < 4; ++j)
      temporary[j] = 2 * rows[i * 4 + j];
    for (int64_t j = 0; j < 4; ++j)
      out[i * 4 + j] = temporary[j] + mask[i / sequence * 2 * sequence];
  }
  return 0;
}

/// Touches nothing: safe whatever sizes a damaged plan claims.
KERNEL nothing(ARGUMENTS) {
  UNUSED;
  return 0;
}

/// Returns a value that no kernel of the compiler returns.
KERNEL invalid_result(ARGUMENTS) {
  UNUSED;
  return 7;
}

/// buffers: i64 in, i64 out. As increment, but the work of a group grows with its number, up to some microseconds, so
/// that threads end at different times.
KERNEL increment_unevenly(ARGUMENTS) {
  UNUSED;
  const int64_t *in = buffers[0];
  int64_t *out = buffers[1];
  for (int64_t i = begin; i < end; ++i) {
    volatile int64_t sum = 0;
    for (int64_t j = 0; j < (i % 64) * 32; ++j)
      sum = sum + j;
    out[i] = in[i] + 1 + (sum & 0);
  }
  return 0;
}

/// scratch: 64 numbers. A group fills them with its number, takes some microseconds and fails if one has changed.
KERNEL own_scratch(ARGUMENTS) {
  UNUSED;
  volatile int64_t *numbers = scratch;
  for (int64_t i = begin; i < end; ++i)
    for (int round = 0; round < 100; ++round) {
      for (int j = 0; j < 64; ++j)
        numbers[j] = i;
      for (int j = 0; j < 64; ++j)
        if (numbers[j] != i)
          return 1;
    }
  return 0;
}
