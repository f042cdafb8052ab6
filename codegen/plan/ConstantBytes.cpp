// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The bytes of a plan's constants.
#include "codegen/plan/ConstantBytes.h"

#include "codegen/tile/PackWords.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/ScopeExit.h"

using namespace mlir;
using namespace tamis;

namespace {

/// One piece of a constant: its bytes row-major, and its own type.
struct Piece {
  RankedTensorType type;
  ArrayRef<char> stored;   ///< of a weight
  SmallVector<char> owned; ///< for dense constants, which have no bytes of this form
  bool transposed;

  ArrayRef<char> bytes() const { return owned.empty() ? stored : ArrayRef<char>(owned); }
};

int64_t bytesOf(RankedTensorType type) {
  return type.getNumElements() * elementBytes(type.getElementType());
}

/// A dense constant, element by element: bool is stored as one byte.
LogicalResult denseBytes(ElementsAttr attribute, SmallVector<char> &out) {
  auto append = [&](uint64_t bits, unsigned count) {
    for (unsigned i = 0; i < count; ++i)
      out.push_back(char(bits >> (8 * i)));
  };
  unsigned width = elementBytes(attribute.getElementType());
  if (isa<FloatType>(attribute.getElementType())) {
    auto values = attribute.tryGetValues<APFloat>();
    if (!values)
      return failure();
    for (const APFloat &value : *values)
      append(value.bitcastToAPInt().getZExtValue(), width);
    return success();
  }
  auto values = attribute.tryGetValues<APInt>();
  if (!values)
    return failure();
  bool isSigned = attribute.getElementType().isSignlessInteger() && !attribute.getElementType().isInteger(1);
  for (const APInt &value : *values) // 4 bits lie in a byte with their sign above
    append(isSigned ? uint64_t(value.getSExtValue()) : value.getZExtValue(), width);
  return success();
}

llvm::Expected<SmallVector<Piece>> findPieces(plan::ConstantOp constant, const WeightStore &weights) {
  SmallVector<Piece> pieces;
  auto element = cast<RankedTensorType>(constant.getType()).getElementType();
  for (auto [attribute, transposed] : llvm::zip_equal(constant.getPieces(), constant.getTransposed())) {
    Piece &piece = pieces.emplace_back();
    piece.transposed = transposed;
    if (auto key = dyn_cast<StringAttr>(attribute)) {
      const WeightStore::Weight *weight = weights.find(key.getValue());
      if (!weight)
        return llvm::createStringError("no weight is named '%s'", key.getValue().str().c_str());
      if (weight->type.getElementType() != element)
        return llvm::createStringError("weight '%s' has another element type than the model says",
                                       key.getValue().str().c_str());
      piece.type = weight->type;
      piece.stored = weight->bytes;
    } else {
      auto dense = cast<ElementsAttr>(attribute);
      piece.type = cast<RankedTensorType>(dense.getType());
      if (failed(denseBytes(dense, piece.owned)))
        return llvm::createStringError("a constant has elements that cannot be stored");
    }
  }
  return pieces;
}

/// The pieces as one row-major matrix.
SmallVector<char> joinMatrix(ArrayRef<Piece> pieces, RankedTensorType type, int64_t axis) {
  int64_t width = elementBytes(type.getElementType()), columns = type.getDimSize(1);
  SmallVector<char> out(bytesOf(type));
  int64_t row0 = 0, column0 = 0;
  for (const Piece &piece : pieces) {
    int64_t rows = piece.type.getDimSize(piece.transposed), cols = piece.type.getDimSize(!piece.transposed);
    int64_t rowStride = piece.transposed ? 1 : cols, columnStride = piece.transposed ? rows : 1;
    constexpr int64_t kBlock = 32; // both sides of a transposition stay in cache
    for (int64_t r0 = 0; r0 < rows; r0 += kBlock)
      for (int64_t c0 = 0; c0 < cols; c0 += kBlock)
        for (int64_t r = r0; r < std::min(rows, r0 + kBlock); ++r)
          for (int64_t c = c0; c < std::min(cols, c0 + kBlock); ++c)
            memcpy(&out[((row0 + r) * columns + column0 + c) * width],
                   piece.bytes().data() + (r * rowStride + c * columnStride) * width, width);
    (axis == 0 ? row0 : column0) += axis == 0 ? rows : cols;
  }
  return out;
}

} // namespace

int64_t tamis::constantSize(plan::ConstantOp constant) {
  auto type = cast<RankedTensorType>(constant.getType());
  if (constant.getLayout() == plan::Layout::words)
    return packedWordBytes(type.getDimSize(1), type.getDimSize(0), type.getElementTypeBitWidth());
  if (constant.getLayout() == plan::Layout::units)
    return packedUnitBytes(type.getDimSize(1), type.getDimSize(0), elementBytes(type.getElementType()));
  if (constant.getLayout() == plan::Layout::panels && type.getElementType().isInteger())
    return packedBytePanelBytes(type.getDimSize(0), type.getDimSize(1));
  if (constant.getLayout() == plan::Layout::panels && type.getElementType().isBF16())
    return packedPairPanelBytes(type.getDimSize(0), type.getDimSize(1));
  if (constant.getLayout() == plan::Layout::panels)
    return packedPanelBytes(type.getDimSize(0), type.getDimSize(1));
  return bytesOf(type);
}

llvm::Error tamis::writeConstant(plan::ConstantOp constant, const WeightStore &weights,
                                 llvm::function_ref<void(ArrayRef<char>)> sink) {
  auto pieces = findPieces(constant, weights);
  if (!pieces)
    return pieces.takeError();
  auto type = cast<RankedTensorType>(constant.getType());
  int64_t total = 0;
  for (const Piece &piece : *pieces)
    total += bytesOf(piece.type);
  if (total != bytesOf(type))
    return llvm::createStringError("the pieces of a constant hold %lld bytes but its type needs %lld",
                                   static_cast<long long>(total), static_cast<long long>(bytesOf(type)));
  llvm::scope_exit release([&] {
    for (const Piece &piece : *pieces)
      if (piece.owned.empty())
        weights.release(piece.stored);
  });
  bool straight = constant.getAxis() == 0 || pieces->size() == 1;
  straight &= llvm::none_of(*pieces, [](const Piece &piece) { return piece.transposed; });
  if (constant.getLayout() == plan::Layout::rows && straight) {
    for (const Piece &piece : *pieces)
      sink(piece.bytes());
    return llvm::Error::success();
  }
  if (Piece &piece = pieces->front(); pieces->size() == 1 && type.getRank() == 2 && piece.type.getRank() != 2) {
    // A weight that is read as a matrix: its sizes are those of the result, before that is transposed.
    int64_t rows = type.getDimSize(piece.transposed), columns = type.getDimSize(!piece.transposed);
    piece.type = RankedTensorType::get({rows, columns}, type.getElementType());
  }
  for (const Piece &piece : *pieces)
    if (piece.type.getRank() != 2 || type.getRank() != 2)
      return llvm::createStringError("expected matrices in a constant that is transposed or joined along its columns");
  if (constant.getLayout() == plan::Layout::rows) {
    sink(joinMatrix(*pieces, type, constant.getAxis()));
    return llvm::Error::success();
  }
  // A single piece is packed where it is mapped; several are joined first.
  SmallVector<char> joined; // its buffer comes from malloc and is aligned for floats
  ArrayRef<char> bytes = pieces->front().bytes();
  int64_t rowStride = type.getDimSize(1), columnStride = 1;
  if (pieces->size() == 1 && pieces->front().transposed)
    rowStride = 1, columnStride = type.getDimSize(0);
  if (pieces->size() > 1) {
    joined = joinMatrix(*pieces, type, constant.getAxis());
    bytes = joined;
  } else if (isa<FloatType>(type.getElementType()) && reinterpret_cast<uintptr_t>(bytes.data()) % alignof(float)) {
    joined.assign(bytes.begin(), bytes.end()); // an ONNX file aligns nothing
    bytes = joined;
  }
  SmallVector<char> panels(constantSize(constant));
  if (constant.getLayout() == plan::Layout::words) { // an output a row
    packWords({bytes.data(), columnStride, rowStride, type.getElementType().isUnsignedInteger()}, type.getDimSize(1),
              type.getDimSize(0), type.getElementTypeBitWidth(), panels.data());
    sink(panels);
    return llvm::Error::success();
  }
  if (constant.getLayout() == plan::Layout::units) {
    packUnits({bytes.data(), columnStride, rowStride, elementBytes(type.getElementType())}, type.getDimSize(1),
              type.getDimSize(0), panels.data());
    sink(panels);
    return llvm::Error::success();
  }
  if (auto integer = dyn_cast<IntegerType>(type.getElementType())) {
    packBytePanels({bytes.data(), rowStride, columnStride, integer.isUnsigned()}, type.getDimSize(0),
                   type.getDimSize(1), panels.data());
    sink(panels);
    return llvm::Error::success();
  }
  if (type.getElementType().isBF16()) {
    packPairPanels({reinterpret_cast<const uint16_t *>(bytes.data()), rowStride, columnStride}, type.getDimSize(0),
                   type.getDimSize(1), panels.data());
    sink(panels);
    return llvm::Error::success();
  }
  packPanels({reinterpret_cast<const float *>(bytes.data()), rowStride, columnStride}, type.getDimSize(0),
             type.getDimSize(1), panels.data());
  sink(panels);
  return llvm::Error::success();
}
