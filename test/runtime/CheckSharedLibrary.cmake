# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Checks libtamis.so: it exports the C API alone, needs libc alone, and stays small.
#   cmake -DLIBRARY=libtamis.so -DNM=nm -DREADELF=readelf -DSTRIP=strip -DTEMPORARY=FILE -P CheckSharedLibrary.cmake
execute_process(COMMAND ${NM} -D --defined-only ${LIBRARY} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^ \n]+\n" names "${symbols}")
foreach(name IN LISTS names)
  string(STRIP "${name}" name)
  # gdb finds the runtime's code through the two __jit_debug names.
  if(NOT name MATCHES "^(tamis_[a-z_]+|__jit_debug_descriptor|__jit_debug_register_code)$")
    message(SEND_ERROR "${name} is exported")
  endif()
endforeach()

execute_process(COMMAND ${READELF} -d ${LIBRARY} OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "NEEDED[^\n]*" needed "${dynamic}")
foreach(line IN LISTS needed)
  if(NOT line MATCHES "\\[(libc\\.so\\.6|ld-linux[^]]*)\\]")
    message(SEND_ERROR "libtamis.so needs another library: ${line}")
  endif()
endforeach()

execute_process(COMMAND ${STRIP} -o ${TEMPORARY} ${LIBRARY} COMMAND_ERROR_IS_FATAL ANY)
file(SIZE ${TEMPORARY} size)
file(REMOVE ${TEMPORARY})
if(size GREATER 200000)
  message(SEND_ERROR "libtamis.so has ${size} bytes, stripped; at most 200000 are wanted")
endif()
message(STATUS "libtamis.so: ${size} bytes, stripped")
