// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Modules: text parsed, variables placed, entries decoded.

#include "runtime/emulator/Emulator.h"
#include "runtime/emulator/decode/Decoder.h"
#include <algorithm>
#include <cstring>

namespace tamis::emulator {

Module::Module(std::unique_ptr<Contents> contents) : held(std::move(contents)) {}

Module::~Module() {
  for (const VariableInfo &each : held->variables)
    held->memory->free(each.address);
}

const std::string &Module::target() const {
  return held->target;
}
uint32_t Module::version() const {
  return held->version;
}
const std::vector<EntryInfo> &Module::entries() const {
  return held->entries;
}
const std::vector<VariableInfo> &Module::variables() const {
  return held->variables;
}

const EntryInfo *Module::entry(std::string_view name) const {
  for (const EntryInfo &each : held->entries)
    if (each.name == name)
      return &each;
  return nullptr;
}

namespace {

/// Gives .global and .const variables addresses and their initial values.
VariableAddresses placeVariables(const ptx::ModuleText &text, Module::Contents &contents,
                                 std::vector<ParseError> &errors) {
  VariableAddresses addresses(text.variables.size());
  auto isPlaced = [](const ptx::Variable &variable) {
    return (variable.space == Space::Global || variable.space == Space::Const) && !variable.isExtern;
  };
  for (size_t i = 0; i < text.variables.size(); ++i) {
    const ptx::Variable &variable = text.variables[i];
    if (!isPlaced(variable))
      continue;
    addresses[i] = contents.memory->allocate(std::max<uint64_t>(variable.bytes, 1));
    if (!addresses[i])
      errors.push_back({variable.line, "variable '" + variable.name + "': no device memory for " +
                                           std::to_string(variable.bytes) + " bytes"});
    else
      contents.variables.push_back({variable.name, addresses[i], variable.bytes});
  }
  for (size_t i = 0; i < text.variables.size(); ++i) {
    const ptx::Variable &variable = text.variables[i];
    if (!addresses[i])
      continue;
    std::vector<uint8_t> bytes = variable.initial;
    bytes.resize(variable.bytes);
    for (const ptx::Variable::Relocation &each : variable.relocations) {
      auto found = std::find_if(text.variables.begin(), text.variables.end(), [&](const ptx::Variable &other) {
        return other.name == each.symbol && isPlaced(other);
      });
      if (found == text.variables.end()) {
        errors.push_back({variable.line, "variable '" + variable.name + "' holds the address of '" + each.symbol +
                                             "', which is not a variable of this module"});
        continue;
      }
      uint64_t address = addresses[size_t(found - text.variables.begin())] + uint64_t(each.addend);
      memcpy(bytes.data() + each.offset, &address, 8);
    }
    if (!bytes.empty())
      contents.memory->copyIn(addresses[i], bytes.data(), bytes.size());
  }
  return addresses;
}

} // namespace

ParseResult parseModule(std::string_view text, Memory &memory) {
  ParseResult result;
  ptx::ModuleText parsed = ptx::parse(text);
  result.errors = std::move(parsed.errors);
  auto contents = std::make_unique<Module::Contents>();
  contents->memory = &memory;
  contents->target = parsed.target;
  contents->version = parsed.version;
  VariableAddresses addresses = placeVariables(parsed, *contents, result.errors);
  for (const ptx::Function &function : parsed.functions) {
    if (!function.isEntry || !function.hasBody)
      continue;
    contents->kernels.push_back(Decoder(parsed, addresses, result.errors).decode(function));
    contents->entries.push_back(contents->kernels.back().info);
  }
  auto module = std::make_shared<Module>(std::move(contents));
  std::sort(result.errors.begin(), result.errors.end(), [](const ParseError &a, const ParseError &b) {
    return a.line != b.line ? a.line < b.line : a.message < b.message;
  });
  if (result.errors.empty())
    result.module = std::move(module);
  return result;
}

} // namespace tamis::emulator
