# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Finds what the compiler is built from and wraps MLIR's CMake, so that a folder's list says only what it holds.
find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
set(MLIR_BINARY_DIR ${CMAKE_BINARY_DIR})
set(LLVM_LINK_LLVM_DYLIB ON)
set(MLIR_LINK_MLIR_DYLIB ON)
include(TableGen)
include(AddLLVM)
include(AddMLIR)
include(Onnx)

add_library(tamis_llvm INTERFACE)
target_include_directories(tamis_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_include_directories(tamis_llvm INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_link_libraries(tamis_llvm INTERFACE MLIR LLVM)

# One precompiled header for every compiler folder: three quarters of a pass's compile time is parsing MLIR's headers.
add_library(tamis_pch STATIC ${CMAKE_SOURCE_DIR}/cmake/Precompiled.cpp)
target_link_libraries(tamis_pch PUBLIC tamis_llvm)
target_precompile_headers(tamis_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/Precompiled.h)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(tamis_pch PRIVATE -Xclang -fno-pch-timestamp)
endif()

add_custom_target(tamis_headers) # every generated header; each library waits for it

# tamis_tablegen(FILE.td -gen-x=OUT.inc ...): generates next to the same path below the build folder.
function(tamis_tablegen source)
  set(LLVM_TARGET_DEFINITIONS ${source})
  set(outputs)
  foreach(item ${ARGN})
    string(REGEX MATCH "^(.*)=([^=]*)$" _ ${item})
    set(output ${CMAKE_MATCH_2})
    string(REPLACE "," ";" flags "${CMAKE_MATCH_1}")
    mlir_tablegen(${output} ${flags} EXTRA_INCLUDES ${CMAKE_SOURCE_DIR} ${MLIR_INCLUDE_DIRS})
    list(APPEND outputs ${CMAKE_CURRENT_BINARY_DIR}/${output})
  endforeach()
  string(MAKE_C_IDENTIFIER "${CMAKE_CURRENT_SOURCE_DIR}/${source}" id)
  add_custom_target(generate_${id} DEPENDS ${outputs})
  add_dependencies(tamis_headers generate_${id})
endfunction()

# tamis_library(NAME SOURCES... LINK LIBRARIES...): a compiler library; sources sorted.
function(tamis_library name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  add_library(${name} STATIC ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC ${arg_LINK} tamis_llvm)
  add_dependencies(${name} tamis_headers)
  target_precompile_headers(${name} REUSE_FROM tamis_pch)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(${name} PRIVATE -Xclang -fno-pch-timestamp)
  endif()
endfunction()
