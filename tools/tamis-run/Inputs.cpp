// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files and literals are read first: their shapes tell those of random inputs.

#include "tools/tamis-run/Inputs.h"
#include "runtime/npy/NpzFile.h"
#include <cerrno>
#include <cstdlib>

namespace tamis::tool {

namespace {
/// A plan, whose context evaluates its sizes.
class PlanSignature : public Signature {
public:
  PlanSignature(const Plan &plan, Context &context) : plan(plan), context(context) {}

  std::vector<tamis_symbol_info> symbols() const override { return plan.symbols(); }
  std::vector<tamis_tensor_info> inputs() const override { return plan.inputs(); }
  Result<std::vector<int64_t>> inputDims(size_t index, const std::vector<int64_t> &values) override {
    if (Result<void> prepared = context.prepareSizes(values); !prepared)
      return prepared.error();
    Result<Tensor> shape = context.input(index);
    return shape ? shape->dims() : Result<std::vector<int64_t>>(shape.error());
  }

private:
  const Plan &plan;
  Context &context;
};
} // namespace

static Error refuse(const std::string &why) {
  return Error(TAMIS_INVALID_ARGUMENT, why);
}

/// "a, b, c", or "none".
template <typename Info> static std::string namesOf(const std::vector<Info> &infos) {
  std::string names;
  for (const Info &info : infos)
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  return names.empty() ? "none" : names;
}

template <typename Info> static size_t find(const std::vector<Info> &infos, const std::string &name) {
  size_t i = 0;
  while (i < infos.size() && name != infos[i].name)
    ++i;
  return i;
}

Result<std::vector<int64_t>> parseDims(const std::vector<tamis_symbol_info> &symbols,
                                       const std::vector<std::string> &dims) {
  std::vector<int64_t> values(symbols.size(), -1);
  for (const std::string &text : dims) {
    size_t equals = text.find('=');
    char *end = nullptr;
    errno = 0;
    long long value = equals == std::string::npos ? -1 : strtoll(text.c_str() + equals + 1, &end, 10);
    if (!end || end == text.c_str() + equals + 1 || *end || errno || value < 0)
      return refuse("--dim: '" + text + "' is no SYMBOL=NUMBER");
    size_t i = find(symbols, text.substr(0, equals));
    if (i == symbols.size())
      return refuse("--dim: the plan has no symbol '" + text.substr(0, equals) + "', it has: " + namesOf(symbols));
    values[i] = value;
  }
  return values;
}

/// The inputs' texts in order.
static Result<std::vector<npy::InputText>> parseInputs(const std::vector<tamis_tensor_info> &infos,
                                                       const std::vector<std::string> &texts,
                                                       const InputDefaults &defaults) {
  std::vector<npy::InputText> parsed(infos.size());
  for (const std::string &text : texts) {
    Result<npy::InputText> input = npy::parseInput(text);
    if (!input)
      return refuse("--input: " + input.error().message());
    size_t i = find(infos, input->name);
    if (i == infos.size())
      return refuse("--input: the plan has no input '" + input->name + "', it has: " + namesOf(infos));
    if (!parsed[i].name.empty())
      return refuse("--input: '" + input->name + "' is given twice");
    parsed[i] = std::move(*input);
  }
  for (size_t i = 0; i < infos.size(); ++i) {
    if (!parsed[i].name.empty())
      continue;
    if (!defaults.seed)
      return refuse("input '" + std::string(infos[i].name) + "' is missing: give --input " + infos[i].name +
                    "=@FILE.npy, or random(SEED)");
    parsed[i].name = infos[i].name;
    parsed[i].random = npy::RandomFill{*defaults.seed + i, {}, {}};
  }
  return parsed;
}

static Result<npy::Array> readFile(const npy::InputText &input) {
  const std::string &file = input.file;
  bool isArchive = file.size() > 4 && file.substr(file.size() - 4) == ".npz";
  return isArchive ? npy::readNpz(file, input.name) : npy::readNpy(file);
}

/// Takes the values of symbols that the shape of a given input tells. Whether all agree is for the run to say.
static void learnDims(const tamis_tensor_info &info, const npy::Array &array,
                      const std::vector<tamis_symbol_info> &symbols, std::vector<int64_t> &values) {
  for (size_t d = 0; d < array.dims.size() && d < size_t(info.rank); ++d) {
    size_t i = find(symbols, info.dim_names[d]);
    if (i < symbols.size() && values[i] < 0)
      values[i] = array.dims[d];
  }
}

/// Gives a value to every symbol that has none yet.
static Result<void> completeDims(const std::vector<tamis_symbol_info> &symbols, const InputDefaults &defaults,
                                 std::vector<int64_t> &values) {
  for (size_t i = 0; i < symbols.size(); ++i) {
    if (values[i] < 0 && symbols[i].min == symbols[i].max)
      values[i] = symbols[i].min;
    if (values[i] < 0 && defaults.size)
      values[i] = defaults.size(symbols[i]);
    if (values[i] < 0)
      return refuse("the shape of a random input needs the size '" + std::string(symbols[i].name) + "': give --dim " +
                    symbols[i].name + "=NUMBER (" + std::to_string(symbols[i].min) + " to " +
                    std::to_string(symbols[i].max) + ")");
  }
  return {};
}

Result<std::vector<npy::Array>> makeInputs(Signature &signature, const std::vector<std::string> &inputs,
                                           const std::vector<std::string> &dims, const InputDefaults &defaults) {
  std::vector<tamis_symbol_info> symbols = signature.symbols();
  std::vector<tamis_tensor_info> infos = signature.inputs();
  Result<std::vector<int64_t>> values = parseDims(symbols, dims);
  if (!values)
    return values.error();
  Result<std::vector<npy::InputText>> texts = parseInputs(infos, inputs, defaults);
  if (!texts)
    return texts.error();
  std::vector<npy::Array> arrays(infos.size());
  bool anyRandom = false;
  for (size_t i = 0; i < infos.size(); ++i) {
    npy::InputText &input = (*texts)[i];
    anyRandom |= input.random.has_value();
    if (!input.file.empty()) {
      Result<npy::Array> array = readFile(input);
      if (!array)
        return array.error();
      arrays[i] = std::move(*array);
    } else if (input.literal) {
      arrays[i] = std::move(*input.literal);
    }
    if (!input.random)
      learnDims(infos[i], arrays[i], symbols, *values);
  }
  if (!anyRandom)
    return arrays;
  if (Result<void> complete = completeDims(symbols, defaults, *values); !complete)
    return complete.error();
  for (size_t i = 0; i < infos.size(); ++i) {
    const npy::InputText &input = (*texts)[i];
    if (!input.random)
      continue;
    Result<std::vector<int64_t>> shape = signature.inputDims(i, *values);
    if (!shape)
      return shape.error();
    Result<npy::Array> array = npy::makeRandom(*input.random, infos[i].element_type, std::move(*shape));
    if (!array)
      return refuse("input '" + input.name + "': " + array.error().message());
    arrays[i] = std::move(*array);
  }
  return arrays;
}

Result<std::vector<npy::Array>> makeInputs(const Plan &plan, Context &context, const std::vector<std::string> &inputs,
                                           const std::vector<std::string> &dims, const InputDefaults &defaults) {
  PlanSignature signature(plan, context);
  return makeInputs(signature, inputs, dims, defaults);
}

} // namespace tamis::tool
