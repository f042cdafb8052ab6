// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model dialect: a transformer as its paper writes it. Ops are described in the .td files and docs/dialects.
#pragma once

#include "lib/support/DimExpr.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/model/ModelDialect.h.inc"
#include "dialects/model/ModelEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/model/ModelAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/model/ModelOps.h.inc"
