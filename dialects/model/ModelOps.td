// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// All ops of the model dialect, by group.
include "dialects/model/ModelTensorOps.td"
include "dialects/model/ModelMathOps.td"
include "dialects/model/ModelLineOps.td"
include "dialects/model/ModelTransformerOps.td"
include "dialects/model/ModelQuantOps.td"
