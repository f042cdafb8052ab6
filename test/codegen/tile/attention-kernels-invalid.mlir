// RUN: tamis-opt %s -split-input-file "-tamis-tile-kernels=target=x86-64-v3" -verify-diagnostics
// Kernels of sattn ops that cannot be tiled, and why.

// sparse_attention

module {
  module @kernels {
    // expected-error @below {{has no sattn.attend to tile}}
    func.func @kernel(%q: tensor<1x8x4xf32>) -> tensor<1x8x4xf32> attributes {plan.kernel = #plan.kernel<sparse_attention>} {
      %y = model.activation relu %q : tensor<1x8x4xf32>
      return %y : tensor<1x8x4xf32>
    }
  }
}

// -----

!i = !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
module {
  module @kernels {
    func.func @kernel(%q: tensor<1x8x4xf32>, %t: tensor<1x1x8x3xi32>) -> tensor<1x8x4xf32>
        attributes {plan.kernel = #plan.kernel<sparse_attention>} {
      // expected-error @below {{cannot be computed with a sattn.attend}}
      %x = model.activation relu %q : tensor<1x8x4xf32>
      %i = sattn.load_index %t : tensor<1x1x8x3xi32> -> !i
      %y = sattn.attend %x, %q, %q over %i heads 1 kv_heads 1 scale 1.0
          : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32>, over !i -> tensor<1x8x4xf32>
      return %y : tensor<1x8x4xf32>
    }
  }
}

// -----

!i = !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
module {
  module @kernels {
    // expected-error @below {{returns something else than the result of its sattn.attend}}
    func.func @kernel(%q: tensor<1x8x4xf32>, %t: tensor<1x1x8x3xi32>) -> tensor<1x8x4xf32>
        attributes {plan.kernel = #plan.kernel<sparse_attention>} {
      %i = sattn.load_index %t : tensor<1x1x8x3xi32> -> !i
      %y = sattn.attend %q, %q, %q over %i heads 1 kv_heads 1 scale 1.0
          : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32>, over !i -> tensor<1x8x4xf32>
      return %q : tensor<1x8x4xf32>
    }
  }
}

// -----

!i = !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
module {
  module @kernels {
    func.func @kernel(%q: tensor<1x8x4xf32>, %i: !i) -> tensor<1x8x4xf32>
        attributes {plan.kernel = #plan.kernel<sparse_attention>} {
      // expected-error @below {{has an index that is neither bands nor loaded from an argument of its kernel}}
      %y = sattn.attend %q, %q, %q over %i heads 1 kv_heads 1 scale 1.0
          : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32>, over !i -> tensor<1x8x4xf32>
      return %y : tensor<1x8x4xf32>
    }
  }
}

// -----

module {
  module @kernels {
    func.func @kernel(%q: tensor<1x8x4xf32>, %k: tensor<1x9x4xf32>) -> tensor<1x8x4xf32>
        attributes {plan.kernel = #plan.kernel<sparse_attention>} {
      // expected-error @below {{picks more than columns, which its kernel cannot read in place}}
      %s = model.slice %k ["0", "1", "0"] step [1, 1, 1] : tensor<1x9x4xf32> -> tensor<1x8x4xf32>
      %i = sattn.bands before 1 after 0 sinks 0 queries "8" keys "8"
          : !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
      %y = sattn.attend %q, %s, %q over %i heads 1 kv_heads 1 scale 1.0
          : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32>,
            over !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2"> -> tensor<1x8x4xf32>
      return %y : tensor<1x8x4xf32>
    }
  }
}

// -----

module {
  module @kernels {
    func.func @kernel(%q: tensor<1x8x4xf64>) -> tensor<1x8x4xf64> attributes {plan.kernel = #plan.kernel<sparse_attention>} {
      %i = sattn.bands before 1 after 0 sinks 0 queries "8" keys "8"
          : !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
      // expected-error @below {{has an operand of type 'tensor<1x8x4xf64>' but f32 is wanted}}
      %y = sattn.attend %q, %q, %q over %i heads 1 kv_heads 1 scale 1.0
          : tensor<1x8x4xf64>, tensor<1x8x4xf64>, tensor<1x8x4xf64>,
            over !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2"> -> tensor<1x8x4xf64>
      return %y : tensor<1x8x4xf64>
    }
  }
}

// -----

module {
  module @kernels {
    func.func @kernel(%q: tensor<1x8x4xf32>, %t: tensor<1x1x1x9xf32>) -> tensor<1x8x4xf32>
        attributes {plan.kernel = #plan.kernel<sparse_attention>} {
      %i = sattn.bands before 1 after 0 sinks 0 queries "8" keys "8"
          : !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
      %m = model.slice %t ["0", "0", "0", "1"] step [1, 1, 1, 1] : tensor<1x1x1x9xf32> -> tensor<1x1x1x8xf32>
      // expected-error @below {{has a mask of type 'tensor<1x1x1x8xf32>' but an argument of f32 or i1 is wanted}}
      %y = sattn.attend %q, %q, %q over %i mask %m heads 1 kv_heads 1 scale 1.0
          : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32>,
            over !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2"> mask tensor<1x1x1x8xf32>
            -> tensor<1x8x4xf32>
      return %y : tensor<1x8x4xf32>
    }
  }
}

// -----

// select

module {
  module @kernels {
    // expected-error @below {{has no sattn.store_index to tile}}
    func.func @kernel(%q: tensor<1x8x4xf32>) -> tensor<1x8x4xf32> attributes {plan.kernel = #plan.kernel<select>} {
      return %q : tensor<1x8x4xf32>
    }
  }
}

// -----

!i = !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
module {
  module @kernels {
    // expected-error @below {{returns something else than the result of its sattn.store_index}}
    func.func @kernel(%q: tensor<1x8x4xf32>, %t: tensor<1x1x8x3xi32>) -> tensor<1x1x8x3xi32>
        attributes {plan.kernel = #plan.kernel<select>} {
      %s = sattn.score %q, %q heads 1 kv_heads 1 : tensor<1x8x4xf32>, tensor<1x8x4xf32> -> tensor<1x1x8x8xf32>
      %i = sattn.select #sattn.budget<count 2> %s queries "8" keys "8" : tensor<1x1x8x8xf32> -> !i
      %r = sattn.store_index %i : !i -> tensor<1x1x8x3xi32>
      return %t : tensor<1x1x8x3xi32>
    }
  }
}

// -----

!i = !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
module {
  module @kernels {
    func.func @kernel() -> tensor<1x1x8x3xi32> attributes {plan.kernel = #plan.kernel<select>} {
      %i = sattn.bands before 1 after 0 sinks 0 queries "8" keys "8" : !i
      // expected-error @below {{stores something else than what a sattn.select of its kernel selects}}
      %r = sattn.store_index %i : !i -> tensor<1x1x8x3xi32>
      return %r : tensor<1x1x8x3xi32>
    }
  }
}

// -----

!i = !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
module {
  module @kernels {
    func.func @kernel(%s: tensor<1x1x8x8xf16>) -> tensor<1x1x8x3xi32> attributes {plan.kernel = #plan.kernel<select>} {
      // expected-error @below {{has scores of type 'tensor<1x1x8x8xf16>' but f32 and a fixed number of heads are wanted}}
      %i = sattn.select #sattn.budget<count 2> %s queries "8" keys "8" : tensor<1x1x8x8xf16> -> !i
      %r = sattn.store_index %i : !i -> tensor<1x1x8x3xi32>
      return %r : tensor<1x1x8x3xi32>
    }
  }
}

// -----

!i = !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
module {
  module @kernels {
    func.func @kernel(%q: tensor<1x8x4xf32>, %c: !i) -> tensor<1x1x8x3xi32> attributes {plan.kernel = #plan.kernel<select>} {
      %s = sattn.score %q, %q heads 1 kv_heads 1 : tensor<1x8x4xf32>, tensor<1x8x4xf32> -> tensor<1x1x8x8xf32>
      // expected-error @below {{has candidates that are not of a sattn.bands of its kernel}}
      %i = sattn.select #sattn.budget<count 2> %s among %c queries "8" keys "8" : tensor<1x1x8x8xf32>, among !i -> !i
      %r = sattn.store_index %i : !i -> tensor<1x1x8x3xi32>
      return %r : tensor<1x1x8x3xi32>
    }
  }
}

// -----

!i = !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
module {
  module @kernels {
    func.func @kernel(%q: tensor<1x8x4xf32>) -> tensor<1x1x8x3xi32> attributes {plan.kernel = #plan.kernel<select>} {
      %m = model.constant dense<true> : tensor<1x1x1x8xi1>
      %s = sattn.score %q, %q heads 1 kv_heads 1 : tensor<1x8x4xf32>, tensor<1x8x4xf32> -> tensor<1x1x8x8xf32>
      // expected-error @below {{has a mask that is no argument of its kernel}}
      %i = sattn.select #sattn.budget<count 2> %s mask %m queries "8" keys "8"
          : tensor<1x1x8x8xf32> mask tensor<1x1x1x8xi1> -> !i
      %r = sattn.store_index %i : !i -> tensor<1x1x8x3xi32>
      return %r : tensor<1x1x8x3xi32>
    }
  }
}

// -----

!i = !sattn.index<4 x 4 block, shape ["1", "1", "2"], items "2", capacity "1">
module {
  module @kernels {
    func.func @kernel(%q: tensor<1x8x4xf32>) -> tensor<1x1x2x2xi32> attributes {plan.kernel = #plan.kernel<select>} {
      %m = model.constant dense<true> : tensor<1x1x1x8xi1>
      // expected-error @below {{has a mask that is no argument of its kernel}}
      %a = sattn.summarize mean %q mask %m heads 1 width 4 : tensor<1x8x4xf32>, tensor<1x1x1x8xi1> -> tensor<1x1x2x4xf32>
      %s = sattn.score %a, %a heads 1 kv_heads 1 : tensor<1x1x2x4xf32>, tensor<1x1x2x4xf32> -> tensor<1x1x2x2xf32>
      %i = sattn.select #sattn.budget<count 1> %s queries "8" keys "8" : tensor<1x1x2x2xf32> -> !i
      %r = sattn.store_index %i : !i -> tensor<1x1x2x2xi32>
      return %r : tensor<1x1x2x2xi32>
    }
  }
}

// -----

!i = !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
module {
  module @kernels {
    func.func @kernel(%q: tensor<1x8x4xf64>) -> tensor<1x1x8x3xi32> attributes {plan.kernel = #plan.kernel<select>} {
      // expected-error @below {{has an operand of type 'tensor<1x8x4xf64>' but f32 is wanted}}
      %s = sattn.score %q, %q heads 1 kv_heads 1 : tensor<1x8x4xf64>, tensor<1x8x4xf64> -> tensor<1x1x8x8xf64>
      %i = sattn.select #sattn.budget<count 2> %s queries "8" keys "8" : tensor<1x1x8x8xf64> -> !i
      %r = sattn.store_index %i : !i -> tensor<1x1x8x3xi32>
      return %r : tensor<1x1x8x3xi32>
    }
  }
}

// -----

!i = !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
module {
  module @kernels {
    func.func @kernel(%q: tensor<1x8x4xf32>) -> tensor<1x1x8x3xi32> attributes {plan.kernel = #plan.kernel<select>} {
      %x = model.activation relu %q : tensor<1x8x4xf32>
      // expected-error @below {{has an operand that is neither an argument of its kernel nor columns of one}}
      %s = sattn.score %x, %q heads 1 kv_heads 1 : tensor<1x8x4xf32>, tensor<1x8x4xf32> -> tensor<1x1x8x8xf32>
      %i = sattn.select #sattn.budget<count 2> %s queries "8" keys "8" : tensor<1x1x8x8xf32> -> !i
      %r = sattn.store_index %i : !i -> tensor<1x1x8x3xi32>
      return %r : tensor<1x1x8x3xi32>
    }
  }
}

// -----

!i = !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "2">
module {
  module @kernels {
    func.func @kernel(%q: tensor<1x8x4xf32>) -> tensor<1x1x8x3xi32> attributes {plan.kernel = #plan.kernel<select>} {
      %s = sattn.score %q, %q heads 1 kv_heads 1 : tensor<1x8x4xf32>, tensor<1x8x4xf32> -> tensor<1x1x8x8xf32>
      %i = sattn.select #sattn.budget<count 2> %s queries "8" keys "8" : tensor<1x1x8x8xf32> -> !i
      // expected-error @below {{cannot be computed with a sattn.select}}
      %b = sattn.bands before 0 after 0 sinks 0 queries "8" keys "8" : !i
      %r = sattn.store_index %i : !i -> tensor<1x1x8x3xi32>
      return %r : tensor<1x1x8x3xi32>
    }
  }
}
