// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arrays and objects on the heap whose failed allocation is a value, not an exception; they need libc alone.

#ifndef TAMIS_RUNTIME_MEMORY_ARRAY_H
#define TAMIS_RUNTIME_MEMORY_ARRAY_H

#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

namespace tamis::runtime {

/// An array whose size is fixed once, by allocate. Elements start value-initialised.
template <typename T> class Array {
public:
  Array() = default;
  Array(const Array &) = delete;
  Array &operator=(const Array &) = delete;
  ~Array() {
    for (size_t i = 0; i < count; ++i)
      elements[i].~T();
    free(elements);
  }

  /// Call at most once. False when memory is short or the size overflows; the array is then empty.
  [[nodiscard]] bool allocate(size_t size) {
    elements = static_cast<T *>(calloc(size ? size : 1, sizeof(T)));
    if (!elements)
      return false;
    for (; count < size; ++count)
      new (elements + count) T();
    return true;
  }

  T *data() { return elements; }
  const T *data() const { return elements; }
  size_t size() const { return count; }
  T &operator[](size_t i) { return elements[i]; }
  const T &operator[](size_t i) const { return elements[i]; }
  T *begin() { return elements; }
  T *end() { return elements + count; }
  const T *begin() const { return elements; }
  const T *end() const { return elements + count; }

private:
  T *elements = nullptr;
  size_t count = 0;
};

/// A new T, aligned as it asks, or null when memory is short.
template <typename T, typename... Arguments> T *make(Arguments &&...arguments) {
  void *memory = nullptr;
  size_t alignment = alignof(T) < sizeof(void *) ? sizeof(void *) : alignof(T);
  if (posix_memalign(&memory, alignment, sizeof(T)))
    return nullptr;
  return new (memory) T(std::forward<Arguments>(arguments)...);
}

/// Ends what make() made. Null is allowed.
template <typename T> void destroy(T *object) {
  if (!object)
    return;
  object->~T();
  free(object);
}

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_MEMORY_ARRAY_H
