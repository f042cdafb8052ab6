// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Enumerations that ops write as a bare word: `custom<Word>($kind)` in their assembly format.
#pragma once

#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"

namespace tamis {

/// `gelu` in `model.activation gelu %x`. By itself, as in the generic form of ops, the attribute keeps its brackets:
/// `#model.activation_kind<gelu>`.
template <typename EnumAttr> mlir::ParseResult parseWord(mlir::OpAsmParser &parser, EnumAttr &attribute) {
  using Enum = decltype(attribute.getValue());
  mlir::FailureOr<Enum> value = mlir::FieldParser<Enum>::parse(parser);
  if (mlir::failed(value))
    return mlir::failure();
  attribute = EnumAttr::get(parser.getContext(), *value);
  return mlir::success();
}

template <typename EnumAttr> void printWord(mlir::OpAsmPrinter &printer, mlir::Operation *, EnumAttr attribute) {
  printer << stringifyEnum(attribute.getValue());
}

} // namespace tamis
