// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C++ face of tamis.h: the same calls with ownership, views and results as types. Standard library only; throws
// nothing itself and may be used with -fno-exceptions.
//
//   tamis::Result<tamis::Plan> plan = tamis::Plan::load("model.plan");
//   if (!plan)
//     return report(plan.error().message());
//   tamis::Result<tamis::Context> context = plan->context();
//   ...
//   tamis::Result<std::vector<tamis::Tensor>> outputs = context->run({tamis::Tensor(ids.data(), {1, 16}), ...});

#ifndef TAMIS_TAMIS_HPP
#define TAMIS_TAMIS_HPP

#include "tamis/tamis.h"
#include <cassert>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tamis {

/// Why a call failed.
class Error {
public:
  Error(tamis_status status, std::string message) : why(status), text(std::move(message)) {}
  explicit Error(const tamis_error &error) : Error(error.status, error.message) {}
  tamis_status status() const { return why; }
  const std::string &message() const { return text; }

private:
  tamis_status why;
  std::string text;
};

/// A value or the reason why there is none. Reading the wrong one is an assertion.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : held(std::move(value)) {}
  Result(Error error) : failed(std::move(error)) {}

  explicit operator bool() const { return held.has_value(); }
  T &operator*() {
    assert(held);
    return *held;
  }
  const T &operator*() const {
    assert(held);
    return *held;
  }
  T *operator->() { return &**this; }
  const T *operator->() const { return &**this; }
  const Error &error() const {
    assert(failed);
    return *failed;
  }

private:
  std::optional<T> held;
  std::optional<Error> failed;
};

/// Success, or the reason for failure.
template <> class [[nodiscard]] Result<void> {
public:
  Result() = default;
  Result(Error error) : failed(std::move(error)) {}
  explicit operator bool() const { return !failed; }
  const Error &error() const {
    assert(failed);
    return *failed;
  }

private:
  std::optional<Error> failed;
};

/// The element type of a C++ type. For f16, bf16 and bool, which C++ has no storage type for, name it.
template <typename T> struct ElementTypeOf;
template <> struct ElementTypeOf<float> {
  static constexpr tamis_element_type value = TAMIS_F32;
};
template <> struct ElementTypeOf<double> {
  static constexpr tamis_element_type value = TAMIS_F64;
};
template <> struct ElementTypeOf<int8_t> {
  static constexpr tamis_element_type value = TAMIS_I8;
};
template <> struct ElementTypeOf<int16_t> {
  static constexpr tamis_element_type value = TAMIS_I16;
};
template <> struct ElementTypeOf<int32_t> {
  static constexpr tamis_element_type value = TAMIS_I32;
};
template <> struct ElementTypeOf<int64_t> {
  static constexpr tamis_element_type value = TAMIS_I64;
};
template <> struct ElementTypeOf<uint8_t> {
  static constexpr tamis_element_type value = TAMIS_U8;
};
template <> struct ElementTypeOf<uint16_t> {
  static constexpr tamis_element_type value = TAMIS_U16;
};
template <> struct ElementTypeOf<uint32_t> {
  static constexpr tamis_element_type value = TAMIS_U32;
};
template <> struct ElementTypeOf<uint64_t> {
  static constexpr tamis_element_type value = TAMIS_U64;
};

/// Sizes of a tensor, and a pointer to elements owned by someone else: row-major, without gaps.
class Tensor {
public:
  Tensor() = default;
  Tensor(tamis_element_type type, void *data, std::vector<int64_t> dims)
      : elements(data), type(type), sizes(std::move(dims)) {}
  template <typename T>
  Tensor(T *data, std::vector<int64_t> dims) : Tensor(ElementTypeOf<T>::value, data, std::move(dims)) {}
  /// For inputs, which are only read.
  template <typename T>
  Tensor(const T *data, std::vector<int64_t> dims)
      : Tensor(ElementTypeOf<T>::value, const_cast<T *>(data), std::move(dims)) {}
  explicit Tensor(const tamis_tensor &view)
      : Tensor(view.element_type, view.data, std::vector<int64_t>(view.dims, view.dims + view.rank)) {}

  tamis_element_type elementType() const { return type; }
  const std::vector<int64_t> &dims() const { return sizes; }
  void *data() const { return elements; }
  /// The elements; an assertion when T is another type than theirs.
  template <typename T> T *as() const {
    assert(ElementTypeOf<T>::value == type);
    return static_cast<T *>(elements);
  }
  /// The product of the dims.
  int64_t size() const {
    int64_t product = 1;
    for (int64_t dim : sizes)
      product *= dim;
    return product;
  }
  size_t bytes() const { return size_t(size()) * tamis_element_size(type); }
  /// Valid as long as this object.
  tamis_tensor view() const { return {elements, sizes.data(), int32_t(sizes.size()), type}; }

private:
  void *elements = nullptr;
  tamis_element_type type = TAMIS_F32;
  std::vector<int64_t> sizes;
};

/// How to load a plan; see tamis_load_options.
struct LoadOptions {
  bool verifyWeights = false;
  tamis_code_mapping code = TAMIS_CODE_AUTO;
  std::string level; ///< empty: the first that fits
  bool hideFromDebugger = false;
  bool perfMap = false;
  tamis_device device = TAMIS_DEVICE_CPU;
  int32_t deviceNumber = 0;
  std::string driver; ///< empty: the device's own
  std::string path;   ///< empty: the plan's first

  /// Valid as long as this object.
  tamis_load_options view() const {
    return {sizeof(tamis_load_options),
            verifyWeights,
            code,
            level.empty() ? nullptr : level.c_str(),
            hideFromDebugger,
            perfMap,
            device,
            deviceNumber,
            driver.empty() ? nullptr : driver.c_str(),
            path.empty() ? nullptr : path.c_str()};
  }
};

/// Memory and threads to run a plan; one thread at a time. See tamis_context.
class Context {
public:
  int32_t threads() const { return tamis_context_threads(handle.get()); }

  /// Checks shapes and works out sizes without running.
  Result<void> prepare(const std::vector<Tensor> &inputs) {
    std::vector<tamis_tensor> views = viewsOf(inputs);
    tamis_error error;
    if (tamis_context_prepare(handle.get(), views.data(), views.size(), &error))
      return Error(error);
    return {};
  }
  /// The same from the values of the plan's symbols.
  Result<void> prepareSizes(const std::vector<int64_t> &symbols) {
    tamis_error error;
    if (tamis_context_prepare_sizes(handle.get(), symbols.data(), symbols.size(), &error))
      return Error(error);
    return {};
  }

  /// Runs, and returns the outputs: views of memory of this context, valid until its next run or prepare. The vectors
  /// are this face's own; a loop that must allocate nothing calls tamis_run with get().
  Result<std::vector<Tensor>> run(const std::vector<Tensor> &inputs) {
    std::vector<tamis_tensor> views = viewsOf(inputs);
    tamis_error error;
    if (tamis_run(handle.get(), views.data(), views.size(), nullptr, 0, &error))
      return Error(error);
    std::vector<Tensor> outputs;
    tamis_tensor tensor;
    for (size_t i = 0; tamis_context_output(handle.get(), i, &tensor, nullptr) == TAMIS_OK; ++i)
      outputs.emplace_back(tensor);
    return outputs;
  }
  /// Runs into the caller's memory; an output without data is filled in with a view of this context's.
  Result<void> run(const std::vector<Tensor> &inputs, std::vector<Tensor> &outputs) {
    std::vector<tamis_tensor> views = viewsOf(inputs), results = viewsOf(outputs);
    tamis_error error;
    if (tamis_run(handle.get(), views.data(), views.size(), results.data(), results.size(), &error))
      return Error(error);
    for (size_t i = 0; i < outputs.size(); ++i)
      if (!outputs[i].data())
        outputs[i] = Tensor(results[i]);
    return {};
  }

  /// Input or output `index` at the prepared sizes.
  Result<Tensor> input(size_t index) const { return ask<Tensor, tamis_tensor>(tamis_context_input, index); }
  Result<Tensor> output(size_t index) const { return ask<Tensor, tamis_tensor>(tamis_context_output, index); }
  Result<tamis_dispatch_cost> dispatch(size_t index) const {
    return ask<tamis_dispatch_cost, tamis_dispatch_cost>(tamis_context_dispatch, index);
  }
  Result<tamis_arena_buffer> arenaBuffer(size_t index) const {
    return ask<tamis_arena_buffer, tamis_arena_buffer>(tamis_context_arena_buffer, index);
  }
  Result<tamis_memory_info> memory() const {
    tamis_memory_info info;
    tamis_error error;
    if (tamis_context_memory(handle.get(), &info, &error))
      return Error(error);
    return info;
  }
  void setProfiling(bool on) { tamis_context_set_profiling(handle.get(), on); }

  tamis_context *get() const { return handle.get(); }

private:
  friend class Plan;
  struct Destroy {
    void operator()(tamis_context *context) const { tamis_context_destroy(context); }
  };
  explicit Context(tamis_context *context) : handle(context) {}

  static std::vector<tamis_tensor> viewsOf(const std::vector<Tensor> &tensors) {
    std::vector<tamis_tensor> views;
    views.reserve(tensors.size());
    for (const Tensor &tensor : tensors)
      views.push_back(tensor.view());
    return views;
  }
  template <typename T, typename Info, typename Call> Result<T> ask(Call call, size_t index) const {
    Info info;
    tamis_error error;
    if (call(handle.get(), index, &info, &error))
      return Error(error);
    return T(info);
  }

  std::unique_ptr<tamis_context, Destroy> handle;
};

/// A loaded plan: immutable, usable by many threads. See tamis_plan. Contexts keep what they need of it alive.
class Plan {
public:
  static Result<Plan> load(const std::string &path, const LoadOptions &options = {}) {
    tamis_plan *plan = nullptr;
    tamis_error error;
    tamis_load_options view = options.view();
    if (tamis_plan_load(path.c_str(), &view, &plan, &error))
      return Error(error);
    return Plan(plan);
  }
  /// `bytes` must stay until the plan and its contexts are gone.
  static Result<Plan> loadMemory(std::string_view bytes, const LoadOptions &options = {}) {
    tamis_plan *plan = nullptr;
    tamis_error error;
    tamis_load_options view = options.view();
    if (tamis_plan_load_memory(bytes.data(), bytes.size(), &view, &plan, &error))
      return Error(error);
    return Plan(plan);
  }

  /// A context of `threads` threads; 0 means one for each CPU.
  Result<Context> context(int32_t threads = 0) const {
    tamis_context *made = nullptr;
    tamis_error error;
    if (tamis_context_create(handle.get(), threads, &made, &error))
      return Error(error);
    return Context(made);
  }

  Result<void> verify() const {
    tamis_error error;
    if (tamis_plan_verify(handle.get(), &error))
      return Error(error);
    return {};
  }

  std::string compiler() const { return tamis_plan_compiler(handle.get()); }
  std::string model() const { return tamis_plan_model(handle.get()); }
  size_t fileBytes() const { return tamis_plan_file_bytes(handle.get()); }
  tamis_device device() const { return tamis_plan_device(handle.get()); }
  std::string deviceText() const { return tamis_plan_device_text(handle.get()); }
  bool codeCopied() const { return tamis_plan_code_copied(handle.get()); }

  /// Names of the paths; empty where there is one program.
  std::vector<std::string> paths() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < tamis_plan_path_count(handle.get()); ++i)
      names.push_back(tamis_plan_path(handle.get(), i));
    return names;
  }

  std::vector<tamis_symbol_info> symbols() const {
    return list<tamis_symbol_info>(tamis_plan_symbol_count, tamis_plan_symbol);
  }
  std::vector<tamis_tensor_info> inputs() const {
    return list<tamis_tensor_info>(tamis_plan_input_count, tamis_plan_input);
  }
  std::vector<tamis_tensor_info> outputs() const {
    return list<tamis_tensor_info>(tamis_plan_output_count, tamis_plan_output);
  }
  std::vector<tamis_dispatch_info> dispatches() const {
    return list<tamis_dispatch_info>(tamis_plan_dispatch_count, tamis_plan_dispatch);
  }
  std::vector<tamis_section_info> sections() const {
    return list<tamis_section_info>(tamis_plan_section_count, tamis_plan_section);
  }
  size_t arenaBufferCount() const { return tamis_plan_arena_buffer_count(handle.get()); }

  tamis_plan *get() const { return handle.get(); }

private:
  struct Destroy {
    void operator()(tamis_plan *plan) const { tamis_plan_destroy(plan); }
  };
  explicit Plan(tamis_plan *plan) : handle(plan) {}

  template <typename Info, typename Count, typename Call> std::vector<Info> list(Count count, Call call) const {
    std::vector<Info> infos(count(handle.get()));
    for (size_t i = 0; i < infos.size(); ++i)
      (void)call(handle.get(), i, &infos[i], nullptr);
    return infos;
  }

  std::unique_ptr<tamis_plan, Destroy> handle;
};

} // namespace tamis

#endif // TAMIS_TAMIS_HPP
