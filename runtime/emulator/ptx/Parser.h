// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parser's state: tokens, scopes and errors. Its members are spread over the sources of this folder.

#ifndef TAMIS_RUNTIME_EMULATOR_PTX_PARSER_H
#define TAMIS_RUNTIME_EMULATOR_PTX_PARSER_H

#include "runtime/emulator/ptx/Lexer.h"
#include "runtime/emulator/ptx/Syntax.h"
#include <algorithm>

namespace tamis::emulator::ptx {

class Parser {
public:
  explicit Parser(std::string_view text) : tokens(tokenize(text)) {}
  ModuleText run();

private:
  struct Entity {
    bool isRegister = false, isModule = false;
    uint32_t index = 0;
  };

  // Tokens.
  const Token &peek(size_t ahead = 0) const { return tokens[std::min(at + ahead, tokens.size() - 1)]; }
  const Token &take() {
    const Token &token = peek();
    at += at + 1 < tokens.size();
    return token;
  }
  bool takeIf(char punctuation);
  bool expect(char punctuation);
  /// Reports at the next token what was wanted there; false.
  bool fail(const std::string &wanted);
  bool failAt(uint32_t line, std::string message);
  void skipPast(char punctuation);
  void skipBlock();

  // Declarations.
  void parseModuleItem();
  void parseFunction(bool isEntry);
  bool parseParameters(Function &function, std::vector<uint32_t> &list);
  bool parseFunctionDirectives(Function &function);
  bool parseSizes(uint32_t (&sizes)[3]);
  bool parseVariables(Space space, bool isExtern, std::vector<Variable> &into, bool isModule);
  bool parseVariable(Variable &variable);
  bool parseInitial(Variable &variable);
  bool parseInitialValues(Variable &variable, uint64_t &offset);
  bool parseRegisters();

  // Bodies.
  void parseBody();
  bool parseStatement();
  bool parseInstruction();
  bool parseOperand(Operand &operand);
  bool parseOperandAtom(Operand &operand);
  bool parseElements(Operand &operand, char end);
  bool parseAddress(Operand &operand);
  bool parseOffset(int64_t &offset);
  bool parseNumber(Operand &operand, bool isNegative);
  bool parseInteger(uint64_t &value);
  const Entity *find(std::string_view name) const;
  void declare(std::string_view name, Entity entity);

  std::vector<Token> tokens;
  size_t at = 0;
  ModuleText module;
  Function *function = nullptr; ///< whose body is parsed
  uint32_t scope = 0;
  /// Names of each open scope; the first is the module's.
  std::vector<std::map<std::string_view, Entity>> scopes{1};
  std::vector<std::unique_ptr<std::string>> ranges; ///< names made from `%r<9>`
};

} // namespace tamis::emulator::ptx

#endif // TAMIS_RUNTIME_EMULATOR_PTX_PARSER_H
