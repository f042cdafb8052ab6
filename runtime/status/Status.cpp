// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Messages, and the names of statuses and element types.

#include "runtime/status/Status.h"
#include <cstdarg>
#include <cstdio>

namespace tamis::runtime {

tamis_status fail(tamis_error *error, tamis_status status, const char *format, ...) {
  if (!error)
    return status;
  error->status = status;
  va_list arguments;
  va_start(arguments, format);
  if (vsnprintf(error->message, sizeof error->message, format, arguments) < 0)
    error->message[0] = '\0';
  va_end(arguments);
  for (char *c = error->message; *c; ++c)
    if (static_cast<unsigned char>(*c) < 0x20 || *c == 0x7f)
      *c = '?';
  return status;
}

} // namespace tamis::runtime

const char *tamis_status_name(tamis_status status) {
  switch (status) {
  case TAMIS_OK:
    return "TAMIS_OK";
  case TAMIS_INVALID_ARGUMENT:
    return "TAMIS_INVALID_ARGUMENT";
  case TAMIS_CANNOT_READ:
    return "TAMIS_CANNOT_READ";
  case TAMIS_DAMAGED_PLAN:
    return "TAMIS_DAMAGED_PLAN";
  case TAMIS_VERSION_MISMATCH:
    return "TAMIS_VERSION_MISMATCH";
  case TAMIS_NO_CODE_FOR_MACHINE:
    return "TAMIS_NO_CODE_FOR_MACHINE";
  case TAMIS_SHAPE_MISMATCH:
    return "TAMIS_SHAPE_MISMATCH";
  case TAMIS_INDEX_OUT_OF_RANGE:
    return "TAMIS_INDEX_OUT_OF_RANGE";
  case TAMIS_OUT_OF_MEMORY:
    return "TAMIS_OUT_OF_MEMORY";
  case TAMIS_SYSTEM_REFUSED:
    return "TAMIS_SYSTEM_REFUSED";
  case TAMIS_NO_DEVICE:
    return "TAMIS_NO_DEVICE";
  case TAMIS_DEVICE_FAILED:
    return "TAMIS_DEVICE_FAILED";
  }
  return "invalid status";
}

size_t tamis_element_size(tamis_element_type type) {
  switch (type) {
  case TAMIS_F64:
  case TAMIS_I64:
  case TAMIS_U64:
    return 8;
  case TAMIS_F32:
  case TAMIS_I32:
  case TAMIS_U32:
    return 4;
  case TAMIS_F16:
  case TAMIS_BF16:
  case TAMIS_I16:
  case TAMIS_U16:
    return 2;
  case TAMIS_I8:
  case TAMIS_U8:
  case TAMIS_BOOL:
    return 1;
  }
  return 0;
}

const char *tamis_element_name(tamis_element_type type) {
  switch (type) {
  case TAMIS_F32:
    return "f32";
  case TAMIS_F64:
    return "f64";
  case TAMIS_F16:
    return "f16";
  case TAMIS_BF16:
    return "bf16";
  case TAMIS_I8:
    return "i8";
  case TAMIS_I16:
    return "i16";
  case TAMIS_I32:
    return "i32";
  case TAMIS_I64:
    return "i64";
  case TAMIS_U8:
    return "u8";
  case TAMIS_U16:
    return "u16";
  case TAMIS_U32:
    return "u32";
  case TAMIS_U64:
    return "u64";
  case TAMIS_BOOL:
    return "bool";
  }
  return "invalid";
}
