// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From statements to instructions: registers and constants get places in the register file, opcodes their handlers.
// Members are spread over the sources of this folder, by kind of instruction.

#ifndef TAMIS_RUNTIME_EMULATOR_DECODE_DECODER_H
#define TAMIS_RUNTIME_EMULATOR_DECODE_DECODER_H

#include "runtime/emulator/ops/Handlers.h"
#include "runtime/emulator/ptx/Syntax.h"
#include "runtime/emulator/run/Program.h"
#include <map>
#include <set>

namespace tamis::emulator {

/// Device addresses of a module's .global and .const variables, by index.
using VariableAddresses = std::vector<uint64_t>;

class Decoder {
public:
  Decoder(const ptx::ModuleText &text, const VariableAddresses &addresses, std::vector<ParseError> &errors)
      : text(text), addresses(addresses), errors(errors) {}

  /// Decodes an entry. Errors are added for every statement that is not understood.
  Kernel decode(const ptx::Function &entry);

private:
  using Operand = ptx::Operand;
  using Statement = ptx::Statement;

  /// A function that is decoded into the kernel: the entry, or one called from it, whose code is put in place of the
  /// call.
  struct Frame {
    const ptx::Function *function = nullptr;
    std::vector<int64_t> registers;  ///< offsets in the register file, -1 before they are used
    std::vector<uint32_t> numbers;   ///< of registers, for undefined ones
    std::vector<uint64_t> variables; ///< addresses in their spaces; ~0 before they are placed
    std::vector<uint32_t> starts;    ///< instruction of each statement
    std::vector<uint32_t> returns;   ///< branches to the end
  };
  struct Fixup {
    uint32_t instruction;
    uint32_t statement;
    std::string_view label;
    std::string_view table; ///< of brx.idx
  };

  // Frame.
  void layoutEntry(const ptx::Function &entry);
  void placeShared();
  void collectShared(const ptx::Function &function, std::set<uint32_t> &used, std::set<std::string_view> &seen);
  void decodeBody(Frame &into);
  void decodeStatement(const Statement &from);
  bool dispatch();
  void finish();
  bool fail(const std::string &message);
  bool failUnknown();

  // Modifiers of the opcode: each must be taken by someone.
  bool take(std::string_view modifier);
  std::string_view takeOneOf(std::initializer_list<std::string_view> modifiers);
  std::string_view takeType(); ///< the last one
  void dropMemoryModifiers();
  bool allTaken();

  // Operands. `bits` are those of the instruction's type; 0 is returned on error, which is no offset of an operand.
  bool wantOperands(size_t least, size_t most);
  uint32_t source(size_t index, uint32_t bits, bool isSink = false, std::string_view type = {});
  uint32_t sourceOf(const Operand &operand, uint32_t bits, bool isSink, std::string_view type);
  uint32_t result(size_t index, uint32_t bits) { return resultOf(statement->operands[index], bits); }
  uint32_t resultOf(const Operand &operand, uint32_t bits);
  uint32_t predicate(const Operand &operand, bool isSink);
  uint32_t registerOffset(uint32_t index);
  uint32_t constant(uint64_t bits, bool isWide);
  uint32_t special(std::string_view name, bool isWide);
  bool addressOf(const Operand &operand, uint64_t &address, Space &space);
  /// Puts an address operand into op[slot] with offset and flags; its symbol may tell the space.
  bool address(size_t index, uint32_t slot);
  bool immediate(size_t index, int64_t &value);
  bool isWideRegister(const Operand &operand, bool &isWide);
  void note(uint32_t number, std::vector<uint32_t> &list) { list.push_back(number); }

  // Kinds of instructions.
  bool decodeArithmetic();
  bool decodeArithmeticOperands(const std::string &key, std::string_view type);
  bool decodeConvert();
  bool decodeMove();
  bool decodeCompare();
  bool decodeSelect();
  bool decodePredicateLogic();
  bool decodeLoad();
  bool decodeStore();
  bool decodeAtomic();
  bool decodeConvertAddress();
  bool decodeCopyAsync();
  bool decodeMatrixLoad();
  bool decodeMma();
  bool decodeWarpGroup();
  bool decodeProduct();
  bool decodeMemoryBarrier();
  bool decodeBulk();
  bool bulkAddress(const Operand &operand, uint32_t slot, bool &isNarrow, std::vector<uint32_t> &list);
  bool decodeBranch();
  bool decodeBarrier();
  bool decodeShuffle();
  bool decodeVote();
  bool decodeCall();
  bool decodeFence();

  const ptx::ModuleText &text;
  const VariableAddresses &addresses;
  std::vector<ParseError> &errors;
  Kernel kernel;
  Frame *frame = nullptr;
  std::vector<Fixup> fixups;
  std::map<std::pair<uint64_t, bool>, uint32_t> constants;
  std::map<std::pair<SpecialRegister, bool>, uint32_t> specials;
  std::map<uint32_t, uint64_t> sharedVariables; ///< of the module, by index
  uint64_t sharedEnd = 0, localEnd = 0;
  uint32_t callDepth = 0;

  // The statement at hand.
  const Statement *statement = nullptr;
  Instruction instruction;
  std::string_view root;
  std::vector<std::string_view> modifiers;
  std::vector<uint32_t> sinks, reads, writes;
  uint32_t macs = 0;
  bool isSpecialFunction = false, isEmitted = false;
};

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_DECODE_DECODER_H
