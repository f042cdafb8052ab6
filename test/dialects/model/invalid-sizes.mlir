// RUN: tamis-opt %s -split-input-file -verify-diagnostics
// Sizes, symbols and element types: one case a constraint, named by the attribute and the constraint's label.

// expected-error@+1 {{size "b*a" is not in canonical form, which is "a*b"}}
func.func private @dims_canonical(%x: tensor<?xf32, #model.dims<"b*a">>)

// -----

// expected-error@+1 {{expected a size expression but found "n +"}}
func.func private @dims_syntax(%x: tensor<?xf32, #model.dims<"n +">>)

// -----

// expected-error@+1 {{#model.dims names 1 sizes but the tensor has 2 axes}}
func.func private @dims_c1(%x: tensor<?x3xf32, #model.dims<"n">>)

// -----

// expected-error@+1 {{axis 1 is named "4" by #model.dims but is 3}}
func.func private @dims_c2(%x: tensor<?x3xf32, #model.dims<"n", "4">>)

// -----

// expected-error@+1 {{axis 0 is named "2" by #model.dims but is dynamic}}
func.func private @dims_c2_dynamic(%x: tensor<?x?xf32, #model.dims<"2", "n">>)

// -----

// expected-error@+1 {{a static tensor carries no #model.dims}}
func.func private @dims_c3(%x: tensor<2xf32, #model.dims<"2">>)

// -----

// expected-error@+1 {{symbol "n" has the empty or negative range 3..2}}
func.func private @symbol_c1() attributes {model.symbols = [#model.symbol<"n", 3, 2>]}

// -----

// expected-error@+1 {{expected a symbol name but found "2*n"}}
func.func private @symbol_name() attributes {model.symbols = [#model.symbol<"2*n", 1, 2>]}

// -----

// expected-error@+1 {{lists the symbol "n" twice}}
func.func private @symbols_c1() attributes {model.symbols = [#model.symbol<"n", 1, 2>, #model.symbol<"n", 1, 3>]}

// -----

// expected-error@+1 {{lists 1 : i64 in model.symbols but #model.symbol is wanted}}
func.func private @symbols_c1_element() attributes {model.symbols = [1]}

// -----

func.func @unnamed_size(%x: tensor<?xf32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor with static or named sizes of}}
  %y = model.activation relu %x : tensor<?xf32>
  return
}

// -----

func.func @element_type(%x: tensor<2xf8E4M3FN>) {
  // expected-error@+1 {{operand #0 must be ranked tensor with static or named sizes of 16-bit float or bfloat16 type or 32-bit float or 64-bit float values}}
  %y = model.activation relu %x : tensor<2xf8E4M3FN>
  return
}
