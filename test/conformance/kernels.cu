// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels in CUDA C for the PTX interpreter's tests: what nvcc makes of them is PTX that our compiler did not write.
// The products of matrices are cut as our own kernels are, so that scripts/bench ptx may compare them. For sm_80.

#include <cuda_fp16.h>

#include <cmath>

namespace {

using Fragment = unsigned[4]; // two f16 each
struct Tested {
  static constexpr bool value = true;
};
struct Untested {
  static constexpr bool value = false;
};

__device__ unsigned sharedAddress(const void *pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

__device__ void copyAsync(unsigned to, const void *from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
}

__device__ void commitCopies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

template <int Open> __device__ void waitCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Open) : "memory");
}

__device__ void loadMatrices(Fragment &to, unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address));
}

__device__ void loadTurned(Fragment &to, unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address));
}

/// c += a b, 16 x 16 by 16 x 8.
__device__ void multiply(float (&c)[4], const Fragment &a, unsigned b0, unsigned b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ unsigned pack(float low, float high) {
  __half2 both = __floats2half2_rn(low, high);
  return *reinterpret_cast<unsigned *>(&both);
}

__device__ float exp2Approximately(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

template <typename Combine> __device__ float acrossLanes(float x, int lanes, Combine combine) {
  for (int mask = lanes / 2; mask; mask /= 2)
    x = combine(x, __shfl_xor_sync(~0u, x, mask));
  return x;
}

/// Attention of 64 queries of one head: q, k, v and the result are [heads][n][D], an index [heads][row][1 + items]
/// holds the numbers of the blocks of 64 keys to read. Four warps, two stages.
template <int D, bool IsSparse>
__device__ void attend(const __half *q, const __half *k, const __half *v, const int *index, __half *out, int n,
                       float scale) {
  constexpr int Across = D / 8;
  constexpr unsigned Pitch = D * 2, Tile = 64 * Pitch, Stage = 2 * Tile;
  extern __shared__ __align__(128) unsigned char memory[];
  const unsigned base = sharedAddress(memory);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, items = (n + 63) / 64;
  const int firstRow = blockIdx.x * 64;
  const size_t start = size_t(blockIdx.y) * n * D;
  const int *row = index + (size_t(blockIdx.y) * gridDim.x + blockIdx.x) * (items + 1);
  const int blocks = IsSparse ? row[0] : items;

  // Rows beyond the last are read as it; of blocks that are not tested all exist.
  auto copyTile = [&](auto isTested, const __half *from, int first, unsigned to) {
#pragma unroll
    for (int i = 0; i < 64 * Across / 128; ++i) {
      int r = (threadIdx.x + i * 128) / Across, c = (threadIdx.x + i * 128) % Across;
      int own = isTested.value ? min(first + r, n - 1) : first + r;
      copyAsync(to + r * Pitch + (c ^ r % 8) * 16, from + start + size_t(own) * D + c * 8);
    }
  };
  auto copyBlock = [&](auto isTested, int number) {
    int first = (IsSparse ? row[1 + number] : number) * 64;
    unsigned to = base + number % 2 * Stage;
    copyTile(isTested, k, first, to);
    copyTile(isTested, v, first, to + Tile);
  };

  float result[D / 8][4] = {}, largest[2] = {-INFINITY, -INFINITY}, sums[2] = {};
  if (blocks > 0) {
    copyTile(Tested(), q, firstRow, base + Stage); // where the second block will come
    copyBlock(Tested(), 0);
    commitCopies();
    waitCopies<0>();
    __syncthreads();
    Fragment queries[D / 16];
#pragma unroll
    for (int d = 0; d < D / 16; ++d) {
      int r = warp * 16 + lane % 16, c = 2 * d + lane / 16;
      loadMatrices(queries[d], base + Stage + r * Pitch + (c ^ r % 8) * 16);
    }
    auto readBlock = [&](auto isTested, int number) {
      waitCopies<0>();
      __syncthreads();
      if (!isTested.value || number + 1 < blocks)
        copyBlock(isTested, number + 1);
      commitCopies();
      const unsigned keys = base + number % 2 * Stage, values = keys + Tile;
      float scores[8][4] = {};
#pragma unroll
      for (int d = 0; d < D / 16; ++d)
#pragma unroll
        for (int pair = 0; pair < 4; ++pair) {
          Fragment matrices;
          int r = pair * 16 + lane / 16 * 8 + lane % 8, c = 2 * d + lane / 8 % 2;
          loadMatrices(matrices, keys + r * Pitch + (c ^ r % 8) * 16);
          multiply(scores[2 * pair], queries[d], matrices[0], matrices[1]);
          multiply(scores[2 * pair + 1], queries[d], matrices[2], matrices[3]);
        }
      const int first = (IsSparse ? row[1 + number] : number) * 64;
      if (isTested.value && first + 64 > n)
#pragma unroll
        for (int tile = 0; tile < 8; ++tile)
#pragma unroll
          for (int i = 0; i < 4; ++i)
            if (first + tile * 8 + lane % 4 * 2 + i % 2 >= n)
              scores[tile][i] = -INFINITY;
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        float most = -INFINITY;
#pragma unroll
        for (int tile = 0; tile < 8; ++tile)
          most = fmaxf(most, fmaxf(scores[tile][2 * r], scores[tile][2 * r + 1]));
        most = acrossLanes(most, 4, [](float x, float y) { return fmaxf(x, y); }) * scale;
        most = fmaxf(most, largest[r]);
        float factor = exp2Approximately(largest[r] - most);
        largest[r] = most;
        sums[r] *= factor;
#pragma unroll
        for (int tile = 0; tile < 8; ++tile)
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            float &score = scores[tile][2 * r + i];
            score = exp2Approximately(fmaf(score, scale, -most));
            sums[r] += score;
          }
#pragma unroll
        for (int e = 0; e < D / 8; ++e) {
          result[e][2 * r] *= factor;
          result[e][2 * r + 1] *= factor;
        }
      }
#pragma unroll
      for (int step = 0; step < 4; ++step) {
        float (&x)[4] = scores[2 * step], (&y)[4] = scores[2 * step + 1];
        Fragment weights = {pack(x[0], x[1]), pack(x[2], x[3]), pack(y[0], y[1]), pack(y[2], y[3])};
#pragma unroll
        for (int e = 0; e < D / 16; ++e) {
          Fragment matrices;
          int r = step * 16 + lane / 8 % 2 * 8 + lane % 8, c = 2 * e + lane / 16;
          loadTurned(matrices, values + r * Pitch + (c ^ r % 8) * 16);
          multiply(result[2 * e], weights, matrices[0], matrices[1]);
          multiply(result[2 * e + 1], weights, matrices[2], matrices[3]);
        }
      }
    };
    int number = 0;
    for (; number + 2 < blocks; ++number)
      readBlock(Untested(), number);
    for (; number < blocks; ++number)
      readBlock(Tested(), number);
  }
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    float total = acrossLanes(sums[r], 4, [](float x, float y) { return x + y; });
    float factor = total > 0 ? 1 / total : 0;
    int own = firstRow + warp * 16 + lane / 4 + 8 * r;
    if (own < n)
#pragma unroll
      for (int e = 0; e < D / 8; ++e)
        *reinterpret_cast<unsigned *>(out + start + size_t(own) * D + e * 8 + lane % 4 * 2) =
            pack(result[e][2 * r] * factor, result[e][2 * r + 1] * factor);
  }
}

} // namespace

#define ATTENTION(NAME, D, IS_SPARSE)                                                                                  \
  extern "C" __global__ void __launch_bounds__(128)                                                                    \
      NAME(const __half *__restrict__ q, const __half *__restrict__ k, const __half *__restrict__ v,                   \
           const int *__restrict__ index, __half *__restrict__ out, int n, float scale) {                              \
    attend<D, IS_SPARSE>(q, k, v, index, out, n, scale);                                                               \
  }
ATTENTION(attention_f16_64, 64, false)
ATTENTION(attention_f16_128, 128, false)
ATTENTION(blocks_f16_64, 64, true)
ATTENTION(blocks_f16_128, 128, true)

/// c = a b, rows x K by K x columns; K is a multiple of 32, columns of 128. 128 x 128 x 32 in four warps, three stages.
extern "C" __global__ void __launch_bounds__(128) gemm_f16(const __half *__restrict__ a, const __half *__restrict__ b,
                                                           __half *__restrict__ c, int rows, int columns, int K) {
  constexpr unsigned Stages = 3, Weights = 128 * 32 * 2, Stage = 2 * Weights; // bytes
  __shared__ __align__(128) unsigned char memory[Stages * Stage];
  const unsigned base = sharedAddress(memory);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, tiles = K / 32;
  const int firstRow = blockIdx.y * 128, firstColumn = blockIdx.x * 128;
  const int warpRow = warp / 2 * 64, warpColumn = warp % 2 * 64;
  // What a thread copies, and where it lies in a stage; pointers walk along K.
  const int inputRow = threadIdx.x / 4, inputBlock = threadIdx.x % 4;
  const int weightRow = threadIdx.x / 16, weightBlock = threadIdx.x % 16;
  const unsigned inputPlace = inputRow * 64 + (inputBlock ^ inputRow / 2 % 4) * 16;
  const unsigned weightPlace = weightRow * 256 + (weightBlock ^ weightRow % 8) * 16;
  const __half *fromInput[4], *fromWeight = b + size_t(weightRow) * columns + firstColumn + weightBlock * 8;
#pragma unroll
  for (int i = 0; i < 4; ++i)
    fromInput[i] = a + size_t(min(firstRow + inputRow + i * 32, rows - 1)) * K + inputBlock * 8;
  const size_t eightRows = size_t(8) * columns;
  auto copyTile = [&](unsigned stage) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      copyAsync(base + stage + inputPlace + i * 32 * 64, fromInput[i]);
      copyAsync(base + stage + Weights + weightPlace + i * 8 * 256, fromWeight + i * eightRows);
      fromInput[i] += 32;
    }
    fromWeight += 4 * eightRows;
  };
#pragma unroll
  for (int tile = 0; tile < Stages - 1; ++tile) {
    if (tile < tiles)
      copyTile(tile * Stage);
    commitCopies();
  }
  float sums[4][8][4] = {};
  unsigned stage = 0, into = (Stages - 1) * Stage;
  for (int tile = 0; tile < tiles; ++tile) {
    waitCopies<Stages - 2>();
    __syncthreads();
    if (tile + Stages - 1 < tiles)
      copyTile(into);
    commitCopies();
    const unsigned input = base + stage, weight = input + Weights;
    stage = stage + Stage == Stages * Stage ? 0 : stage + Stage;
    into = into + Stage == Stages * Stage ? 0 : into + Stage;
#pragma unroll
    for (int step = 0; step < 2; ++step) {
      Fragment x[4], w[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        int r = warpRow + i * 16 + lane % 16, block = step * 2 + lane / 16;
        loadMatrices(x[i], input + r * 64 + (block ^ r / 2 % 4) * 16);
      }
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        int r = step * 16 + lane % 16, block = warpColumn / 8 + j * 2 + lane / 16;
        loadTurned(w[j], weight + r * 256 + (block ^ r % 8) * 16);
      }
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 8; ++j)
          multiply(sums[i][j], x[i], w[j / 2][j % 2 * 2], w[j / 2][j % 2 * 2 + 1]);
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      int own = firstRow + warpRow + i * 16 + r * 8 + lane / 4;
      if (own < rows)
#pragma unroll
        for (int j = 0; j < 8; ++j)
          *reinterpret_cast<unsigned *>(c + size_t(own) * columns + firstColumn + warpColumn + j * 8 + lane % 4 * 2) =
              pack(sums[i][j][2 * r], sums[i][j][2 * r + 1]);
    }
}

/// Softmax over the columns of a row; a block a row, any number of columns.
extern "C" __global__ void __launch_bounds__(128) softmax_f32(const float *x, float *y, int columns) {
  __shared__ float parts[2][4];
  const float *from = x + size_t(blockIdx.x) * columns;
  float *to = y + size_t(blockIdx.x) * columns;
  float most = -INFINITY, sum = 0;
  for (int i = threadIdx.x; i < columns; i += 128)
    most = fmaxf(most, from[i]);
  most = acrossLanes(most, 32, [](float x, float y) { return fmaxf(x, y); });
  if (threadIdx.x % 32 == 0)
    parts[0][threadIdx.x / 32] = most;
  __syncthreads();
  most = fmaxf(fmaxf(parts[0][0], parts[0][1]), fmaxf(parts[0][2], parts[0][3]));
  for (int i = threadIdx.x; i < columns; i += 128)
    sum += expf(from[i] - most);
  sum = acrossLanes(sum, 32, [](float x, float y) { return x + y; });
  if (threadIdx.x % 32 == 0)
    parts[1][threadIdx.x / 32] = sum;
  __syncthreads();
  sum = parts[1][0] + parts[1][1] + parts[1][2] + parts[1][3];
  for (int i = threadIdx.x; i < columns; i += 128)
    to[i] = expf(from[i] - most) / sum;
}

/// Layer norm of rows of f16; a warp a row, an even number of columns.
extern "C" __global__ void __launch_bounds__(128)
    layer_norm_f16(const __half *x, const __half *scale, const __half *bias, __half *y, int rows, int columns,
                   float epsilon) {
  int row = blockIdx.x * 4 + threadIdx.x / 32, pairs = columns / 2;
  if (row >= rows)
    return;
  auto add = [](float x, float y) { return x + y; };
  const __half2 *from = reinterpret_cast<const __half2 *>(x + size_t(row) * columns);
  float sum = 0, squares = 0;
  for (int i = threadIdx.x % 32; i < pairs; i += 32) {
    float2 pair = __half22float2(from[i]);
    sum += pair.x + pair.y;
  }
  float mean = acrossLanes(sum, 32, add) / columns;
  for (int i = threadIdx.x % 32; i < pairs; i += 32) {
    float2 pair = __half22float2(from[i]);
    squares += (pair.x - mean) * (pair.x - mean) + (pair.y - mean) * (pair.y - mean);
  }
  float factor = rsqrtf(acrossLanes(squares, 32, add) / columns + epsilon);
  for (int i = threadIdx.x % 32; i < pairs; i += 32) {
    float2 pair = __half22float2(from[i]), s = __half22float2(reinterpret_cast<const __half2 *>(scale)[i]),
           b = __half22float2(reinterpret_cast<const __half2 *>(bias)[i]);
    reinterpret_cast<__half2 *>(y + size_t(row) * columns)[i] =
        __floats2half2_rn((pair.x - mean) * factor * s.x + b.x, (pair.y - mean) * factor * s.y + b.y);
  }
}

/// GELU by the error function, four elements a thread.
extern "C" __global__ void gelu_f32(const float4 *x, float4 *y, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count)
    return;
  float4 four = x[i];
  auto gelu = [](float x) { return 0.5f * x * (1 + erff(x * 0.70710678f)); };
  y[i] = make_float4(gelu(four.x), gelu(four.y), gelu(four.z), gelu(four.w));
}

/// Writes the positions of the elements above a limit in their order, and how many there are: one block of 256 threads.
extern "C" __global__ void __launch_bounds__(256)
    compact_f32(const float *x, int *positions, int *count, int n, float limit) {
  __shared__ int ahead[8];
  __shared__ int total;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  if (threadIdx.x == 0)
    total = 0;
  __syncthreads();
  for (int first = 0; first < n; first += 256) {
    int i = first + threadIdx.x;
    unsigned kept = __ballot_sync(~0u, i < n && x[i] > limit);
    if (lane == 0)
      ahead[warp] = __popc(kept);
    __syncthreads();
    int at = total + __popc(kept & ((1u << lane) - 1));
    for (int w = 0; w < warp; ++w)
      at += ahead[w];
    if (kept >> lane & 1)
      positions[at] = i;
    __syncthreads();
    if (lane == 0)
      atomicAdd(&total, ahead[warp]);
    __syncthreads();
  }
  if (threadIdx.x == 0)
    *count = total;
}

/// y = x w of int8, sums of int32; x is rows x K, w is columns x K, K a multiple of 4. A thread an element.
extern "C" __global__ void dot_i8(const int *x, const int *w, int *y, int rows, int columns, int quarters) {
  int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
  if (column >= columns)
    return;
  int sum = 0;
  for (int k = 0; k < quarters; ++k)
    sum = __dp4a(x[row * quarters + k], w[column * quarters + k], sum);
  y[row * columns + column] = sum;
}
