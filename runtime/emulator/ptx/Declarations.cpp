// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What stands outside of bodies: the module's directives, variables with their initial values, functions' heads.

#include "runtime/emulator/ptx/Parser.h"
#include <cstring>

namespace tamis::emulator::ptx {

uint32_t typeBits(std::string_view type) {
  if (!type.empty() && type[0] == '.')
    type.remove_prefix(1);
  static constexpr struct {
    std::string_view name;
    uint32_t bits;
  } table[] = {{"pred", 1},    {"b8", 8},      {"u8", 8},          {"s8", 8},      {"b16", 16},   {"u16", 16},
               {"s16", 16},    {"f16", 16},    {"bf16", 16},       {"b32", 32},    {"u32", 32},   {"s32", 32},
               {"f32", 32},    {"f16x2", 32},  {"bf16x2", 32},     {"tf32", 32},   {"b64", 64},   {"u64", 64},
               {"s64", 64},    {"f64", 64},    {"b128", 128},      {"u16x2", 32},  {"s16x2", 32}, {"e4m3x2", 16},
               {"e5m2x2", 16}, {"texref", 64}, {"samplerref", 64}, {"surfref", 64}};
  for (auto &entry : table)
    if (entry.name == type)
      return entry.bits;
  return 0;
}

namespace {

Space spaceOf(std::string_view directive) {
  return directive == ".global"   ? Space::Global
         : directive == ".const"  ? Space::Const
         : directive == ".shared" ? Space::Shared
         : directive == ".local"  ? Space::Local
                                  : Space::Param;
}

bool isSpace(std::string_view word) {
  return word == ".global" || word == ".const" || word == ".shared" || word == ".local" || word == ".param";
}

} // namespace

ModuleText Parser::run() {
  while (peek().kind != Token::End) {
    size_t before = at;
    parseModuleItem();
    if (at == before)
      take();
  }
  if (module.version == 0 && module.errors.empty())
    failAt(1, "no .version: this is no PTX");
  return std::move(module);
}

void Parser::parseModuleItem() {
  const Token &token = peek();
  if (token.kind != Token::Word) {
    if (!takeIf(';')) {
      fail("a directive");
      take();
    }
    return;
  }
  if (token.is(".version")) {
    take();
    std::string text(peek().text);
    size_t dot = text.find('.');
    if (peek().kind != Token::Number || dot == std::string::npos) {
      fail("a version, as 8.0");
      return;
    }
    module.version = uint32_t(atoi(text.c_str()) * 10 + atoi(text.c_str() + dot + 1));
    take();
  } else if (token.is(".target")) {
    take();
    module.target = peek().text;
    do
      take();
    while (takeIf(','));
  } else if (token.is(".address_size")) {
    take();
    if (peek().text != "64")
      fail("64: addresses of 32 bits are not supported");
    take();
  } else if (token.is(".section")) {
    while (peek().kind != Token::End && !peek().is('{'))
      take();
    skipBlock();
  } else if (token.is(".pragma") || token.is(".alias")) {
    skipPast(';');
  } else if (token.is(".entry") || token.is(".func")) {
    take();
    parseFunction(token.is(".entry"));
  } else if (token.is(".visible") || token.is(".weak") || token.is(".common")) {
    take();
  } else if (token.is(".extern") || isSpace(token.text)) {
    bool isExtern = take().is(".extern");
    if (isExtern && (peek().is(".func") || peek().is(".entry"))) {
      parseFunction(take().is(".entry"));
      return;
    }
    const Token &space = isExtern ? take() : token;
    if (!isSpace(space.text)) {
      failAt(space.line, "found '" + std::string(space.text) + "', wanted a state space");
      skipPast(';');
    } else if (!parseVariables(spaceOf(space.text), isExtern, module.variables, true)) {
      skipPast(';');
    }
  } else {
    fail("a directive");
    take();
  }
}

bool Parser::parseVariable(Variable &variable) {
  variable.line = peek().line;
  uint32_t vector = 1;
  while (peek().kind == Token::Word && peek().text[0] == '.') {
    std::string_view word = take().text;
    uint64_t value = 0;
    if (word == ".align") {
      if (!parseInteger(value))
        return false;
      if (value == 0 || value > 4096 || (value & (value - 1)))
        return failAt(variable.line,
                      "found an alignment of " + std::to_string(value) + ", wanted a power of two to 4096");
      if (!variable.isPointer) // after .ptr it is that of what is pointed to
        variable.alignment = uint32_t(value);
    } else if (word == ".ptr") {
      variable.isPointer = true;
    } else if (word == ".v2" || word == ".v4") {
      vector = word == ".v2" ? 2 : 4;
    } else if (typeBits(word)) {
      variable.elementBytes = typeBits(word) / 8 * vector;
    } else if (!isSpace(word) && word.substr(0, 10) != ".attribute" && word != ".managed") {
      --at;
      return fail("a type or .align");
    }
  }
  variable.alignment = std::max(variable.alignment, variable.elementBytes);
  if (peek().kind != Token::Word)
    return fail("the name of a variable");
  variable.name = take().text;
  variable.bytes = variable.elementBytes;
  while (takeIf('[')) {
    uint64_t count = 0;
    if (peek().is(']'))
      variable.isUnsized = true;
    else if (!parseInteger(count))
      return false;
    if (count && variable.bytes > (uint64_t(1) << 36) / count)
      return failAt(variable.line, "variable '" + variable.name + "' is larger than 64 GiB");
    variable.bytes *= count;
    if (!expect(']'))
      return false;
  }
  return true;
}

bool Parser::parseVariables(Space space, bool isExtern, std::vector<Variable> &into, bool isModule) {
  Variable common;
  common.space = space;
  common.isExtern = isExtern;
  do {
    Variable variable = common;
    if (!parseVariable(variable))
      return false;
    if (takeIf('=') && !parseInitial(variable))
      return false;
    // The next of "a, b" has the same type.
    common.alignment = variable.alignment;
    common.elementBytes = variable.elementBytes;
    // Text views outlive the parse; the vector's strings move.
    size_t back = 1;
    while (tokens[at - back].kind != Token::Word || tokens[at - back].text != variable.name)
      ++back;
    declare(tokens[at - back].text, {false, isModule, uint32_t(into.size())});
    if (isModule && scopes.size() > 1)
      scopes.front()[tokens[at - back].text] = {false, true, uint32_t(into.size())};
    into.push_back(std::move(variable));
  } while (takeIf(','));
  return expect(';');
}

bool Parser::parseInitial(Variable &variable) {
  uint64_t offset = 0;
  std::vector<uint8_t> &bytes = variable.initial;
  if (variable.isUnsized) {
    if (!parseInitialValues(variable, offset))
      return false;
    variable.isUnsized = false;
    variable.bytes = bytes.size();
    return true;
  }
  if (!parseInitialValues(variable, offset))
    return false;
  if (bytes.size() > variable.bytes)
    return failAt(variable.line, "variable '" + variable.name + "' has " + std::to_string(variable.bytes) +
                                     " bytes and " + std::to_string(bytes.size()) + " of initial values");
  bytes.resize(variable.bytes);
  return true;
}

bool Parser::parseInitialValues(Variable &variable, uint64_t &offset) {
  if (takeIf('{')) {
    while (!takeIf('}')) {
      if (!parseInitialValues(variable, offset))
        return false;
      if (!peek().is('}') && !expect(','))
        return false;
    }
    return true;
  }
  uint32_t width = variable.elementBytes;
  Operand value;
  if (peek().kind == Token::Word) {
    bool isCall = peek().is("generic");
    if (isCall && (take(), !expect('(')))
      return false;
    Variable::Relocation relocation = {offset, std::string(take().text), 0};
    if ((isCall && !expect(')')) || !parseOffset(relocation.addend))
      return false;
    if (width != 8)
      return failAt(variable.line, "an address of '" + relocation.symbol + "' in elements that are not 8 bytes wide");
    variable.relocations.push_back(std::move(relocation));
  } else {
    bool isNegative = takeIf('-');
    if (!parseNumber(value, isNegative))
      return false;
    if (value.kind == Operand::Float && value.isSingle != (width == 4)) {
      double number;
      if (value.isSingle) {
        float single;
        memcpy(&single, &value.bits, 4);
        number = single;
        memcpy(&value.bits, &number, 8);
      } else {
        memcpy(&number, &value.bits, 8);
        float single = float(number);
        value.bits = 0;
        memcpy(&value.bits, &single, 4);
      }
    }
  }
  variable.initial.resize(std::max<uint64_t>(variable.initial.size(), offset + width));
  memcpy(variable.initial.data() + offset, &value.bits, std::min<uint32_t>(width, 8));
  offset += width;
  return true;
}

bool Parser::parseSizes(uint32_t (&sizes)[3]) {
  for (int i = 0; i < 3; ++i) {
    uint64_t value = 1;
    if ((i == 0 || takeIf(',')) && !parseInteger(value))
      return false;
    sizes[i] = uint32_t(value);
  }
  return true;
}

bool Parser::parseFunctionDirectives(Function &into) {
  while (!peek().is('{') && !peek().is(';')) {
    if (peek().kind != Token::Word)
      return fail("'{' or a directive of the function");
    std::string_view word = take().text;
    uint32_t sizes[3];
    if (word == ".pragma") {
      while (peek().kind == Token::String || peek().is(','))
        take();
      takeIf(';');
    } else if (word == ".noreturn" || word == ".explicitcluster" || word == ".blocksareclusters") {
      continue;
    } else if (word == ".maxntid" || word == ".reqntid" || word == ".reqnctapercluster") {
      if (!parseSizes(sizes))
        return false;
      if (word == ".reqnctapercluster")
        std::copy(sizes, sizes + 3, into.requiredCluster);
      else
        into.maxThreads = sizes[0] * sizes[1] * sizes[2];
      if (word == ".reqntid")
        std::copy(sizes, sizes + 3, into.requiredBlock);
    } else if (word == ".minnctapersm" || word == ".maxnctapersm" || word == ".maxnreg" || word == ".maxclusterrank") {
      if (!parseSizes(sizes))
        return false;
    } else {
      --at;
      return fail("'{' or a directive of the function");
    }
  }
  return true;
}

bool Parser::parseParameters(Function &into, std::vector<uint32_t> &list) {
  if (!expect('('))
    return false;
  while (!takeIf(')')) {
    Variable variable;
    variable.space = into.isEntry ? Space::Param : Space::Local;
    if (peek().is(".reg"))
      return fail("a parameter in .param: registers as parameters are not supported");
    if (!parseVariable(variable))
      return false;
    size_t back = 1;
    while (tokens[at - back].text != variable.name)
      ++back;
    declare(tokens[at - back].text, {false, false, uint32_t(into.variables.size())});
    list.push_back(uint32_t(into.variables.size()));
    into.variables.push_back(std::move(variable));
    if (!peek().is(')') && !expect(','))
      return false;
  }
  return true;
}

void Parser::parseFunction(bool isEntry) {
  Function parsed;
  parsed.isEntry = isEntry;
  parsed.line = peek().line;
  scopes.emplace_back();
  function = &parsed;
  bool good = true;
  if (!isEntry && peek().is('('))
    good = parseParameters(parsed, parsed.results);
  if (good && peek().kind != Token::Word)
    good = fail("the name of a function");
  if (good) {
    parsed.name = take().text;
    good = (!peek().is('(') || parseParameters(parsed, parsed.parameters)) && parseFunctionDirectives(parsed);
  }
  if (good && peek().is('{')) {
    parsed.hasBody = true;
    parseBody();
  } else if (good) {
    takeIf(';');
  } else {
    while (peek().kind != Token::End && !peek().is('{') && !peek().is(';'))
      take();
    if (peek().is('{'))
      skipBlock();
  }
  scopes.resize(1);
  function = nullptr;
  if (good)
    module.functions.push_back(std::move(parsed));
}

ModuleText parse(std::string_view text) {
  if (size_t end = text.find('\0'); end != std::string_view::npos)
    text = text.substr(0, end);
  return Parser(text).run();
}

} // namespace tamis::emulator::ptx
