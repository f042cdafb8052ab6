// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C API of the Tamis runtime: load a plan, ask what it computes, run it.
//
// A `tamis_plan` is a loaded plan: immutable, shared by any number of threads. A `tamis_context` is what one calling
// thread needs to run it: memory for intermediate values and a pool of worker threads. docs/runtime.md is the guide.
//
//   tamis_plan *plan; tamis_context *context; tamis_error error; tamis_tensor out;
//   if (tamis_plan_load("model.plan", NULL, &plan, &error) ||
//       tamis_context_create(plan, 0, &context, &error) ||
//       tamis_run(context, inputs, 2, NULL, 0, &error) ||
//       tamis_context_output(context, 0, &out, &error))
//     fprintf(stderr, "%s\n", error.message);
//
// Conventions. Functions that can fail return a tamis_status and take a `tamis_error *`, which may be NULL; a failed
// call leaves its results untouched unless it says otherwise. Pointers handed out live as long as the object they were
// asked of, unless stated. Sizes are bytes where the name says so, else elements. Indices count from 0.

#ifndef TAMIS_TAMIS_H
#define TAMIS_TAMIS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define TAMIS_API __attribute__((visibility("default")))
#else
#define TAMIS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// Why a call failed, and what the caller should do about it. The list is closed within a major version.
typedef enum tamis_status {
  /// Nothing failed.
  TAMIS_OK = 0,
  /// The call itself is wrong: a null pointer, an index past the end, an output buffer of the wrong size. Fix the call.
  TAMIS_INVALID_ARGUMENT = 1,
  /// The file cannot be opened or read. Check the path and the permissions; the message has the system's reason.
  TAMIS_CANNOT_READ = 2,
  /// The bytes are no plan, or a plan that was damaged or cut short. Get a good copy, or compile again.
  TAMIS_DAMAGED_PLAN = 3,
  /// The plan has another format version. Compile again with the compiler of this runtime, or use the other runtime.
  TAMIS_VERSION_MISMATCH = 4,
  /// The plan holds no code this machine can run. Compile with a --target that fits; the message says what is lacking.
  TAMIS_NO_CODE_FOR_MACHINE = 5,
  /// An input has another element type, rank or size than the plan wants, or inputs disagree. Fix the inputs.
  TAMIS_SHAPE_MISMATCH = 6,
  /// A value of an input is out of range, as a token past the end of the vocabulary. Fix the values of the inputs.
  TAMIS_INDEX_OUT_OF_RANGE = 7,
  /// Memory could not be allocated. Use smaller inputs, or free memory and try again.
  TAMIS_OUT_OF_MEMORY = 8,
  /// The system refused something the runtime cannot do without: executable memory, a thread. See the message.
  TAMIS_SYSTEM_REFUSED = 9,
  /// The device that was asked for is not there: no driver, a driver that is too old, no such device. See the message.
  TAMIS_NO_DEVICE = 10,
  /// The device's driver reported a failure; the message has its name and text. After a failed kernel nothing of this
  /// process can use the device again.
  TAMIS_DEVICE_FAILED = 11
} tamis_status;

/// The name of a status, as "TAMIS_DAMAGED_PLAN". Never NULL.
TAMIS_API const char *tamis_status_name(tamis_status status);

/// Filled by a failed call, untouched by a successful one. Owned by the caller, so nothing here is shared by threads.
typedef struct tamis_error {
  tamis_status status;
  char message[1020]; ///< one sentence, no full stop, always terminated; a longer one is cut
} tamis_error;

/// The runtime's version, "0.1.0".
TAMIS_API const char *tamis_version(void);

/// The plan format version this runtime reads. A plan of any other is refused with TAMIS_VERSION_MISMATCH.
TAMIS_API uint32_t tamis_plan_format_version(void);

typedef enum tamis_element_type {
  TAMIS_F32 = 1,
  TAMIS_F64 = 2,
  TAMIS_F16 = 3,
  TAMIS_BF16 = 4,
  TAMIS_I8 = 5,
  TAMIS_I16 = 6,
  TAMIS_I32 = 7,
  TAMIS_I64 = 8,
  TAMIS_U8 = 9,
  TAMIS_BOOL = 10, ///< one byte, 0 or 1
  TAMIS_U16 = 11,
  TAMIS_U32 = 12,
  TAMIS_U64 = 13
} tamis_element_type;

/// Bytes of one element; 0 if `type` is none of the enumerators.
TAMIS_API size_t tamis_element_size(tamis_element_type type);
/// "f32", "bool", ...; "invalid" if `type` is none of the enumerators.
TAMIS_API const char *tamis_element_name(tamis_element_type type);

/// A view of a tensor: row-major, without gaps. It owns nothing.
typedef struct tamis_tensor {
  void *data;          ///< aligned to the element size; may be NULL when there are no elements. Inputs are only read,
                       ///< but for those that are state (tamis_tensor_info)
  const int64_t *dims; ///< `rank` sizes; may be NULL when rank is 0
  int32_t rank;
  tamis_element_type element_type;
} tamis_tensor;

typedef struct tamis_plan tamis_plan;
typedef struct tamis_context tamis_context;

// Loading

/// How the plan's code comes into memory.
typedef enum tamis_code_mapping {
  TAMIS_CODE_AUTO = 0, ///< map it from the file; copy where that is impossible (a noexec mount, a plan in memory)
  TAMIS_CODE_MAP = 1,  ///< map it from the file or fail: no new executable memory is ever made
  TAMIS_CODE_COPY = 2  ///< copy it, then make the copy read-execute: later writes to the file cannot reach it
} tamis_code_mapping;

/// Where a plan runs. Inputs and outputs are in the host's memory for all of them.
typedef enum tamis_device {
  TAMIS_DEVICE_CPU = 0,
  TAMIS_DEVICE_CUDA = 1,     ///< an NVIDIA GPU, through its driver, which is opened when a plan is loaded for it
  TAMIS_DEVICE_EMULATED = 2, ///< the plan's PTX, interpreted and checked on the CPU: slow, and strict
  TAMIS_DEVICE_NONE = 3      ///< none: the plan can be asked and contexts prepared, but nothing can be run
} tamis_device;

/// Set `struct_size` to sizeof(tamis_load_options) and zero the rest for the defaults.
typedef struct tamis_load_options {
  size_t struct_size;
  int32_t verify_weights; ///< non-zero: also check the hash of the weights, which reads them all once
  tamis_code_mapping code;
  const char *level; ///< use only the code section of this name ("x86-64-v3", "sm_80"); NULL: the best that fits
  int32_t hide_from_debugger; ///< non-zero: do not register the code with gdb's JIT interface
  int32_t perf_map;           ///< non-zero: copy the code and name its kernels in /tmp/perf-PID.map for `perf`
  tamis_device device;
  int32_t device_number; ///< of a CUDA device, as the driver counts
  const char *driver;    ///< path of the CUDA driver library; NULL: TAMIS_CUDA_DRIVER of the environment, else
                         ///< libcuda.so.1; for the emulated device libtamis_emulated_cuda.so beside this library
  const char *path;      ///< of a plan with several: the one to run, "fast"; NULL: the first
} tamis_load_options;

/// Maps and checks the plan at `path`. Header, metadata and code are always checked by hash and by content; weights by
/// hash when asked. The file must not be changed while the plan is in use: a truncated file ends the process with
/// SIGBUS at the next touch of a lost page. `options` may be NULL.
TAMIS_API tamis_status tamis_plan_load(const char *path, const tamis_load_options *options, tamis_plan **plan,
                                       tamis_error *error);

/// The same from memory. `data` must stay, unchanged, until the plan and all its contexts are destroyed; where it is
/// not aligned to 64 bytes it is copied once.
TAMIS_API tamis_status tamis_plan_load_memory(const void *data, size_t size, const tamis_load_options *options,
                                              tamis_plan **plan, tamis_error *error);

/// Gives up the caller's hold on the plan; memory goes when the last context of the plan is gone too. NULL is allowed.
TAMIS_API void tamis_plan_destroy(tamis_plan *plan);

/// Checks the hash of every section, weights included. Thread-safe; reads the whole file.
TAMIS_API tamis_status tamis_plan_verify(const tamis_plan *plan, tamis_error *error);

// What a plan holds. All thread-safe.

TAMIS_API const char *tamis_plan_compiler(const tamis_plan *plan); ///< "tamis 0.1.0"
TAMIS_API const char *tamis_plan_model(const tamis_plan *plan);    ///< name of the source model
TAMIS_API size_t tamis_plan_file_bytes(const tamis_plan *plan);

/// Paths of a plan: programs that compute the same in different precisions, from weights that they share where they
/// agree. Most plans have none, and one program. A loaded plan runs one of them.
TAMIS_API size_t tamis_plan_path_count(const tamis_plan *plan);
TAMIS_API const char *tamis_plan_path(const tamis_plan *plan, size_t index); ///< its name; NULL beyond the last
TAMIS_API const char *tamis_plan_path_in_use(const tamis_plan *plan);        ///< NULL where the plan has no paths

/// A named dynamic size, bound by the inputs of a run.
typedef struct tamis_symbol_info {
  const char *name; ///< "batch"
  int64_t min, max; ///< both allowed
} tamis_symbol_info;

TAMIS_API size_t tamis_plan_symbol_count(const tamis_plan *plan);
TAMIS_API tamis_status tamis_plan_symbol(const tamis_plan *plan, size_t index, tamis_symbol_info *info,
                                         tamis_error *error);

/// An input or output as the plan declares it.
typedef struct tamis_tensor_info {
  const char *name;
  const char *const *dim_names; ///< `rank` texts: a number ("384"), a symbol ("batch") or an expression ("2*sequence")
  const int64_t *dims;          ///< `rank` sizes; -1 where it depends on the run
  int32_t rank;
  tamis_element_type element_type;
  int32_t is_state; ///< of an input: 1 where a run writes it, too, in place, as a cache that it appends to
} tamis_tensor_info;

TAMIS_API size_t tamis_plan_input_count(const tamis_plan *plan);
TAMIS_API size_t tamis_plan_output_count(const tamis_plan *plan);
TAMIS_API tamis_status tamis_plan_input(const tamis_plan *plan, size_t index, tamis_tensor_info *info,
                                        tamis_error *error);
TAMIS_API tamis_status tamis_plan_output(const tamis_plan *plan, size_t index, tamis_tensor_info *info,
                                         tamis_error *error);

/// One kernel run over a grid of work groups. What it costs depends on the sizes: see tamis_context_dispatch.
typedef struct tamis_dispatch_info {
  const char *name;           ///< what it does: "linear_gelu"
  const char *kernel;         ///< the symbol in the code section
  const char *const *sources; ///< nodes of the source model it computes
  size_t source_count;
  size_t buffer_count;
  size_t code_bytes;           ///< of the kernel, in the code section in use; 0 on a GPU
  uint32_t group_threads;      ///< of a work group on a GPU; 0 on a CPU
  uint32_t group_shared_bytes; ///< of its dynamic shared memory
} tamis_dispatch_info;

TAMIS_API size_t tamis_plan_dispatch_count(const tamis_plan *plan);
TAMIS_API tamis_status tamis_plan_dispatch(const tamis_plan *plan, size_t index, tamis_dispatch_info *info,
                                           tamis_error *error);

typedef enum tamis_section_kind {
  TAMIS_SECTION_CODE = 0,
  TAMIS_SECTION_WEIGHTS = 1,
  TAMIS_SECTION_REPORT = 2
} tamis_section_kind;

typedef struct tamis_section_info {
  tamis_section_kind kind;
  const char *name;            ///< of code: the level or target it was built for, "x86-64-v4", "sm_80"
  const void *data;            ///< the section's bytes, in the mapped file; valid as long as the plan
  uint64_t offset, size;       ///< bytes, from the start of the file
  const char *machine;         ///< of code: "x86-64", "aarch64", "cuda" or "unknown"; else NULL
  const char *const *features; ///< of code: the CPU features it needs, by LLVM's names
  size_t feature_count;
  int32_t in_use;     ///< 1 for the code that runs and for weights, else 0
  const char *reason; ///< of code not in use: why, as "needs avx512f, which this CPU lacks"; else NULL
  const char *path;   ///< of code: the path that it is of, in a plan that has several; else NULL
} tamis_section_info;

TAMIS_API size_t tamis_plan_section_count(const tamis_plan *plan);
TAMIS_API tamis_status tamis_plan_section(const tamis_plan *plan, size_t index, tamis_section_info *info,
                                          tamis_error *error);

/// The device the plan was loaded for.
TAMIS_API tamis_device tamis_plan_device(const tamis_plan *plan);
/// What it is: "NVIDIA A100-SXM4-80GB, compute capability 8.0"; "cpu"; "none".
TAMIS_API const char *tamis_plan_device_text(const tamis_plan *plan);

/// Whether the code in use was copied to anonymous memory (1) or is mapped from the file (0).
TAMIS_API int32_t tamis_plan_code_copied(const tamis_plan *plan);

// Contexts. One thread at a time may use a context.

/// Makes a context of `threads` threads, the calling one included; 0 means one for each CPU this process may use. With
/// one thread nothing is synchronised and no thread is made. The context keeps the plan alive. On a GPU `threads` says
/// nothing, and a context has a stream of its own.
TAMIS_API tamis_status tamis_context_create(const tamis_plan *plan, int32_t threads, tamis_context **context,
                                            tamis_error *error);

/// Ends the workers and frees everything. Not while a call on the context is under way. NULL is allowed.
TAMIS_API void tamis_context_destroy(tamis_context *context);

TAMIS_API int32_t tamis_context_threads(const tamis_context *context);

/// Checks the element types and dims of `inputs` (data is not looked at) in the plan's order, and works out every size
/// of a run: tamis_context_output and the like answer for these sizes afterwards. tamis_run does this by itself.
/// Fails with TAMIS_SHAPE_MISMATCH naming the input, what was found and what was wanted.
TAMIS_API tamis_status tamis_context_prepare(tamis_context *context, const tamis_tensor *inputs, size_t count,
                                             tamis_error *error);

/// The same from the values of the plan's symbols, in their order, with no inputs at hand.
TAMIS_API tamis_status tamis_context_prepare_sizes(tamis_context *context, const int64_t *symbols, size_t count,
                                                   tamis_error *error);

/// Runs the plan. `inputs` are the plan's inputs in its order. `outputs` is NULL with `output_count` 0 to have the
/// context own every output, or as many tensors as the plan has outputs: one with non-NULL data is written in place
/// (its element type and dims must be the right ones, and it must not overlap an input or another output); one with
/// NULL data has all its fields filled in and points into the context. Memory of the context is valid until its next
/// run or prepare. Inputs that are state are written in place, and must not overlap anything; after a failed run they
/// may hold part of what it would have written. After the first run of a shape, and of any smaller one, a run allocates
/// nothing (on a GPU: no memory for tensors). On failure the contents of outputs are undefined; the context stays
/// usable.
TAMIS_API tamis_status tamis_run(tamis_context *context, const tamis_tensor *inputs, size_t input_count,
                                 tamis_tensor *outputs, size_t output_count, tamis_error *error);

/// Input or output `index` at the prepared sizes. `data` of an output is where the last run wrote it, NULL before a
/// run; `data` of an input is NULL. `dims` is valid until the next run or prepare. TAMIS_INVALID_ARGUMENT when nothing
/// is prepared.
TAMIS_API tamis_status tamis_context_input(const tamis_context *context, size_t index, tamis_tensor *tensor,
                                           tamis_error *error);
TAMIS_API tamis_status tamis_context_output(const tamis_context *context, size_t index, tamis_tensor *tensor,
                                            tamis_error *error);

/// The memory of a run at the prepared sizes, in bytes.
typedef struct tamis_memory_info {
  int64_t arena_bytes;   ///< intermediate values
  int64_t scratch_bytes; ///< of all threads together
  int64_t output_bytes;  ///< of all outputs together
  int64_t weight_bytes;  ///< of the plan, mapped (on a GPU: there) and shared by all its contexts
} tamis_memory_info;

TAMIS_API tamis_status tamis_context_memory(const tamis_context *context, tamis_memory_info *info, tamis_error *error);

/// A dispatch at the prepared sizes.
typedef struct tamis_dispatch_cost {
  int64_t groups;        ///< work groups of its grid
  int64_t scratch_bytes; ///< of each thread
  int64_t flops;         ///< floating-point operations
  int64_t bytes;         ///< read and written
  int64_t nanoseconds;   ///< of the last run made with profiling on, else 0
} tamis_dispatch_cost;

TAMIS_API tamis_status tamis_context_dispatch(const tamis_context *context, size_t index, tamis_dispatch_cost *cost,
                                              tamis_error *error);

/// Non-zero: time each dispatch of the runs to come, at two clock reads a dispatch; on a GPU by its events.
TAMIS_API void tamis_context_set_profiling(tamis_context *context, int32_t on);

/// A buffer of the arena at the prepared sizes: alive from dispatch `first` to dispatch `last`, both included.
typedef struct tamis_arena_buffer {
  const char *name;
  int64_t offset, size; ///< bytes
  size_t first, last;
} tamis_arena_buffer;

TAMIS_API size_t tamis_plan_arena_buffer_count(const tamis_plan *plan);
TAMIS_API tamis_status tamis_context_arena_buffer(const tamis_context *context, size_t index,
                                                  tamis_arena_buffer *buffer, tamis_error *error);

// The machine

/// 1 if this CPU and system have the feature of this LLVM name ("avx512f"), 0 if not or if the name is unknown. For an
/// AMX feature this asks the system to allow its use in this process.
TAMIS_API int32_t tamis_cpu_has_feature(const char *name);

#ifdef __cplusplus
}
#endif

#endif // TAMIS_TAMIS_H
