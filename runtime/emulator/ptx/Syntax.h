// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A PTX module as it is written: names resolved, opcodes not yet looked at.

#ifndef TAMIS_RUNTIME_EMULATOR_PTX_SYNTAX_H
#define TAMIS_RUNTIME_EMULATOR_PTX_SYNTAX_H

#include "runtime/emulator/Emulator.h"
#include <map>
#include <optional>

namespace tamis::emulator::ptx {

enum class Space : uint8_t { Generic, Global, Shared, Local, Param, Const };

/// Bits of ".f32", ".b8x2", ".pred" (1); 0 for what is no type.
uint32_t typeBits(std::string_view type);

struct Register {
  std::string name;
  uint32_t bits = 0; ///< 1: predicate
};

/// A variable or parameter. `.param` variables inside a body are those of calls, and lie in local memory.
struct Variable {
  struct Relocation {
    uint64_t offset = 0; ///< of 8 bytes that get the address of `symbol`
    std::string symbol;
    int64_t addend = 0;
  };
  std::string name;
  Space space = Space::Global;
  uint32_t alignment = 1, elementBytes = 1, line = 0;
  uint64_t bytes = 0;
  bool isUnsized = false; ///< `name[]`
  bool isPointer = false; ///< .ptr
  bool isExtern = false;
  std::vector<uint8_t> initial; ///< empty: zeros
  std::vector<Relocation> relocations;
};

struct Operand {
  enum Kind : uint8_t {
    Register,  ///< `index` into Function::registers; `negated` for !p
    Immediate, ///< `bits`, sign-extended
    Float,     ///< `bits` of an f32 (isSingle) or an f64
    Symbol,    ///< `index` of a variable (isModule: of the module, else of the function), `offset` from its start
    Special,   ///< `name`: "%tid.x"
    Name,      ///< `name`: a label or a function
    Address,   ///< elements[0] and `offset`; further elements are those after the comma
    Vector,    ///< {a, b}
    Pair,      ///< a|b
    List,      ///< (a, b)
    Sink       ///< _
  };
  Kind kind = Sink;
  bool negated = false, isSingle = false, isModule = false;
  uint32_t index = 0;
  uint64_t bits = 0;
  int64_t offset = 0;
  std::string_view name; ///< in the text of the module
  std::vector<Operand> elements;
};

struct Statement {
  uint32_t line = 0;
  int32_t guard = -1; ///< register, or -1
  bool guardNegated = false;
  uint32_t scope = 0;
  std::string_view opcode;
  std::vector<Operand> operands;
};

struct Function {
  std::string name;
  uint32_t line = 0;
  bool isEntry = false, hasBody = false;
  std::vector<Register> registers;
  std::vector<Variable> variables;           ///< local ones and parameters
  std::vector<uint32_t> parameters, results; ///< indices into `variables`
  std::vector<Statement> body;
  std::vector<uint32_t> scopeParents; ///< of scope n; 0 is the outermost, its own parent
  /// Name and scope to the statement that follows the label.
  std::map<std::pair<std::string_view, uint32_t>, uint32_t> labels;
  std::map<std::pair<std::string_view, uint32_t>, std::vector<std::string_view>> branchTargets;
  uint32_t requiredBlock[3] = {0, 0, 0}, requiredCluster[3] = {0, 0, 0}, maxThreads = 0;
};

struct ModuleText {
  std::string target;
  uint32_t version = 0; ///< 80 for 8.0
  std::vector<Variable> variables;
  std::vector<Function> functions;
  std::vector<ParseError> errors;
};

/// Reads a module; `text` must outlive the result. Goes on after an error at the next statement.
ModuleText parse(std::string_view text);

} // namespace tamis::emulator::ptx

#endif // TAMIS_RUNTIME_EMULATOR_PTX_SYNTAX_H
