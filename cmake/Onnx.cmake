# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Finds the onnx project's C++ library that scripts/build-onnx made and defines the target tamis_onnx.
set(TAMIS_ONNX_DIR ${CMAKE_SOURCE_DIR}/build/deps/onnx CACHE PATH "prefix that scripts/build-onnx installed to")
find_library(TAMIS_ONNX_LIBRARY onnx PATHS ${TAMIS_ONNX_DIR}/lib NO_DEFAULT_PATH)
find_path(TAMIS_ONNX_INCLUDE onnx/onnx_pb.h PATHS ${TAMIS_ONNX_DIR}/include NO_DEFAULT_PATH)
if(NOT TAMIS_ONNX_LIBRARY OR NOT TAMIS_ONNX_INCLUDE)
  message(FATAL_ERROR "no onnx library below ${TAMIS_ONNX_DIR}: run scripts/build-onnx first, or set TAMIS_ONNX_DIR to the prefix it was given")
endif()
find_package(Protobuf 3.21 REQUIRED MODULE)

add_library(tamis_onnx INTERFACE)
target_include_directories(tamis_onnx SYSTEM INTERFACE ${TAMIS_ONNX_INCLUDE})
target_compile_definitions(tamis_onnx INTERFACE ONNX_NAMESPACE=onnx ONNX_ML=1)
target_link_libraries(tamis_onnx INTERFACE ${TAMIS_ONNX_LIBRARY} protobuf::libprotobuf)
