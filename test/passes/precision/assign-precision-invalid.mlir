// RUN: split-file %s %t
// RUN: not tamis-opt %t/model.mlir -pass-pipeline='builtin.module(func.func(tamis-assign-precision{policy=@%t/other.json}))' 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: not tamis-opt %t/model.mlir -pass-pipeline='builtin.module(func.func(tamis-assign-precision{policy=@%t/word.json}))' 2>&1 | FileCheck %s --check-prefix=WORD
// RUN: not tamis-opt %t/model.mlir -pass-pipeline='builtin.module(func.func(tamis-assign-precision{policy=@%t/rule.json}))' 2>&1 | FileCheck %s --check-prefix=RULE
// RUN: not tamis-opt %t/model.mlir -pass-pipeline='builtin.module(func.func(tamis-assign-precision{policy=@%t/broken.json}))' 2>&1 | FileCheck %s --check-prefix=BROKEN
// RUN: not tamis-opt %t/model.mlir -pass-pipeline='builtin.module(func.func(tamis-assign-precision{policy=@%t/none.json}))' 2>&1 | FileCheck %s --check-prefix=NONE

// OTHER: other.json: found a rule for the weights "encoder.*", but it fits none of the model's 1 layers, such as "dense"
// WORD: word.json: found "layer" but "default" and "layers" are what a policy has
// RULE: rule.json: rule 0 of "layers" is not of the form {"weights": "*query*", "precision": "int8"}
// BROKEN: broken.json: found no JSON but a policy is wanted
// NONE: none.json: cannot be read

//--- model.mlir
func.func @main(%x: tensor<3x8xf32>) -> tensor<3x8xf32> {
  %w = model.weight "dense" : tensor<8x8xf32>
  %y = model.linear %x, %w : tensor<3x8xf32>, tensor<8x8xf32> -> tensor<3x8xf32>
  return %y : tensor<3x8xf32>
}

//--- other.json
{"layers": [{"weights": "encoder.*", "precision": "int8"}]}
//--- word.json
{"layer": []}
//--- rule.json
{"layers": [{"weights": "dense"}]}
//--- broken.json
{"layers": [
