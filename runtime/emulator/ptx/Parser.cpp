// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bodies of functions: statements and operands, as the PTX ISA's chapter "Syntax" has them.

#include "runtime/emulator/ptx/Parser.h"
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace tamis::emulator::ptx {

bool Parser::takeIf(char punctuation) {
  bool found = peek().is(punctuation);
  if (found)
    take();
  return found;
}

bool Parser::failAt(uint32_t line, std::string message) {
  module.errors.push_back({line, std::move(message)});
  return false;
}

bool Parser::fail(const std::string &wanted) {
  const Token &token = peek();
  std::string found =
      token.kind == Token::End ? "the end of the text" : "'" + std::string(token.text.substr(0, 60)) + "'";
  return failAt(token.line, "found " + found + ", wanted " + wanted);
}

bool Parser::expect(char punctuation) {
  return takeIf(punctuation) || fail(std::string("'") + punctuation + "'");
}

void Parser::skipPast(char punctuation) {
  while (peek().kind != Token::End && !peek().is('}'))
    if (take().is(punctuation))
      return;
}

void Parser::skipBlock() {
  for (int depth = 0; peek().kind != Token::End;) {
    const Token &token = take();
    depth += token.is('{') - token.is('}');
    if (depth == 0)
      return;
  }
}

const Parser::Entity *Parser::find(std::string_view name) const {
  for (size_t i = scopes.size(); i-- > 0;)
    if (auto found = scopes[i].find(name); found != scopes[i].end())
      return &found->second;
  return nullptr;
}

void Parser::declare(std::string_view name, Entity entity) {
  scopes.back()[name] = entity;
}

void Parser::parseBody() {
  take(); // {
  scopes.emplace_back();
  function->scopeParents = {0};
  scope = 0;
  std::vector<uint32_t> open = {0};
  while (true) {
    const Token &token = peek();
    if (token.kind == Token::End) {
      fail("'}'");
      break;
    }
    if (takeIf('{')) {
      function->scopeParents.push_back(scope);
      scope = uint32_t(function->scopeParents.size() - 1);
      open.push_back(scope);
      scopes.emplace_back();
    } else if (takeIf('}')) {
      scopes.pop_back();
      open.pop_back();
      if (open.empty())
        break;
      scope = open.back();
    } else if (!parseStatement()) {
      skipPast(';');
    }
  }
  scopes.resize(1);
}

bool Parser::parseStatement() {
  const Token &token = peek();
  if (takeIf(';'))
    return true;
  if (token.is('@'))
    return parseInstruction();
  if (token.kind != Token::Word)
    return fail("a statement");
  if (peek(1).is(':')) {
    at += 2;
    if (peek().is(".branchtargets")) {
      take();
      std::vector<std::string_view> &targets = function->branchTargets[{token.text, scope}];
      do {
        if (peek().kind != Token::Word)
          return fail("a label");
        targets.push_back(take().text);
      } while (takeIf(','));
      return expect(';');
    }
    if (!function->labels.insert({{token.text, scope}, uint32_t(function->body.size())}).second)
      return failAt(token.line, "label '" + std::string(token.text) + "' is defined twice");
    return true;
  }
  if (token.text[0] != '.')
    return parseInstruction();
  take();
  if (token.text == ".reg")
    return parseRegisters();
  if (token.text == ".local" || token.text == ".param")
    return parseVariables(Space::Local, false, function->variables, false);
  if (token.text == ".shared")
    return parseVariables(Space::Shared, false, function->variables, false);
  if (token.text == ".global" || token.text == ".const")
    return parseVariables(token.text == ".const" ? Space::Const : Space::Global, false, module.variables, true);
  if (token.text == ".pragma") {
    skipPast(';');
    return true;
  }
  return failAt(token.line, "found '" + std::string(token.text) + "', wanted a declaration or an instruction");
}

bool Parser::parseRegisters() {
  uint32_t line = peek().line;
  if (peek().kind != Token::Word || typeBits(peek().text) == 0)
    return fail("a type, as .b32 or .pred");
  uint32_t bits = typeBits(take().text);
  do {
    if (peek().kind != Token::Word)
      return fail("a name of registers");
    std::string_view name = take().text;
    auto add = [&](std::string_view full) {
      declare(full, {true, false, uint32_t(function->registers.size())});
      function->registers.push_back({std::string(full), bits});
    };
    if (!takeIf('<')) {
      add(name);
      continue;
    }
    uint64_t count = 0;
    if (!parseInteger(count) || !expect('>'))
      return false;
    if (count > 1000000)
      return failAt(line, "found " + std::to_string(count) + " registers, wanted at most 1000000");
    // The names %r0 ... are no part of the text: they are kept by the module.
    for (uint64_t i = 0; i < count; ++i) {
      function->registers.push_back({std::string(name) + std::to_string(i), bits});
      ranges.push_back(std::make_unique<std::string>(function->registers.back().name));
      declare(*ranges.back(), {true, false, uint32_t(function->registers.size() - 1)});
    }
  } while (takeIf(','));
  return expect(';');
}

bool Parser::parseInstruction() {
  Statement statement;
  statement.line = peek().line;
  statement.scope = scope;
  if (takeIf('@')) {
    statement.guardNegated = takeIf('!');
    const Entity *entity = peek().kind == Token::Word ? find(peek().text) : nullptr;
    if (!entity || !entity->isRegister || function->registers[entity->index].bits != 1)
      return fail("a predicate register after '@'");
    statement.guard = int32_t(entity->index);
    take();
  }
  if (peek().kind != Token::Word || peek().text[0] == '.' || peek().text[0] == '%')
    return fail("an instruction");
  statement.line = peek().line;
  statement.opcode = take().text;
  while (!peek().is(';')) {
    if (!parseOperand(statement.operands.emplace_back()))
      return false;
    if (!peek().is(';') && !expect(','))
      return false;
  }
  take();
  function->body.push_back(std::move(statement));
  return true;
}

bool Parser::parseElements(Operand &operand, char end) {
  while (!takeIf(end)) {
    if (!parseOperand(operand.elements.emplace_back()))
      return false;
    if (!peek().is(end) && !expect(','))
      return false;
  }
  return true;
}

bool Parser::parseOperand(Operand &operand) {
  if (!parseOperandAtom(operand))
    return false;
  if (!takeIf('|'))
    return true;
  Operand first = std::move(operand);
  operand = {};
  operand.kind = Operand::Pair;
  operand.elements.push_back(std::move(first));
  return parseOperandAtom(operand.elements.emplace_back());
}

bool Parser::parseOperandAtom(Operand &operand) {
  if (takeIf('{')) {
    operand.kind = Operand::Vector;
    return parseElements(operand, '}');
  }
  if (takeIf('(')) {
    operand.kind = Operand::List;
    return parseElements(operand, ')');
  }
  if (takeIf('['))
    return parseAddress(operand);
  if (takeIf('-'))
    return parseNumber(operand, true);
  if (peek().kind == Token::Number)
    return parseNumber(operand, false);
  operand.negated = takeIf('!');
  if (peek().kind != Token::Word)
    return fail("an operand");
  std::string_view name = take().text;
  operand.name = name;
  if (name == "_") {
    operand.kind = Operand::Sink;
  } else if (const Entity *entity = find(name)) {
    operand.kind = entity->isRegister ? Operand::Register : Operand::Symbol;
    operand.index = entity->index;
    operand.isModule = entity->isModule;
    if (operand.kind == Operand::Symbol && (peek().is('+') || peek().is('-')))
      return parseOffset(operand.offset);
  } else if (name == "WARP_SZ") {
    operand.kind = Operand::Immediate;
    operand.bits = 32;
  } else {
    operand.kind = name[0] == '%' ? Operand::Special : Operand::Name;
  }
  return true;
}

bool Parser::parseOffset(int64_t &offset) {
  while (peek().is('+') || peek().is('-')) {
    bool isNegative = take().is('-');
    if (peek().is('-')) // "+-16"
      isNegative ^= take().is('-');
    uint64_t value = 0;
    if (!parseInteger(value))
      return false;
    offset += isNegative ? -int64_t(value) : int64_t(value);
  }
  return true;
}

bool Parser::parseAddress(Operand &operand) {
  operand.kind = Operand::Address;
  Operand &base = operand.elements.emplace_back();
  if (!parseOperandAtom(base) || !parseOffset(operand.offset))
    return false;
  if (base.kind == Operand::Symbol) {
    operand.offset += base.offset;
    base.offset = 0;
  }
  if (takeIf(','))
    return parseElements(operand, ']');
  return expect(']');
}

bool Parser::parseInteger(uint64_t &value) {
  Operand operand;
  if (peek().kind != Token::Number)
    return fail("an integer");
  if (!parseNumber(operand, false))
    return false;
  if (operand.kind != Operand::Immediate) {
    --at;
    return fail("an integer");
  }
  value = operand.bits;
  return true;
}

bool Parser::parseNumber(Operand &operand, bool isNegative) {
  if (peek().kind != Token::Number)
    return fail("a number");
  std::string text(peek().text);
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'f' || text[1] == 'F' || text[1] == 'd' || text[1] == 'D')) {
    operand.kind = Operand::Float;
    operand.isSingle = (text[1] | 32) == 'f';
    char *end = nullptr;
    operand.bits = strtoull(text.c_str() + 2, &end, 16);
    if (*end || text.size() != (operand.isSingle ? 10u : 18u))
      return fail("a float of 8 or 16 hexadecimal digits");
    if (isNegative)
      operand.bits ^= uint64_t(1) << (operand.isSingle ? 31 : 63);
    take();
    return true;
  }
  bool isHex = text.size() > 1 && (text[1] | 32) == 'x';
  if (!isHex && text.find_first_of(".eE") != std::string::npos) {
    char *end = nullptr;
    double value = strtod(text.c_str(), &end);
    if (*end)
      return fail("a number");
    operand.kind = Operand::Float;
    value = isNegative ? -value : value;
    memcpy(&operand.bits, &value, 8);
    take();
    return true;
  }
  if (!text.empty() && (text.back() | 32) == 'u')
    text.pop_back();
  bool isBinary = text.size() > 2 && (text[1] | 32) == 'b';
  char *end = nullptr;
  operand.kind = Operand::Immediate;
  operand.bits = isBinary ? strtoull(text.c_str() + 2, &end, 2) : strtoull(text.c_str(), &end, 0);
  if (text.empty() || *end)
    return fail("a number");
  if (isNegative)
    operand.bits = 0 - operand.bits;
  take();
  return true;
}

} // namespace tamis::emulator::ptx
