// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keys and values in pages, in plain loops.
#include "lib/reference/EvaluateCacheOps.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;
using namespace tamis::reference;

namespace {
/// Where tokens lie.
class Places {
public:
  Places(Operation *op, const Scope &scope, Value table, Value texts, Value positions, int64_t pages, int64_t page)
      : op(op), table(readIntegers(scope.view(table))), texts(readIntegers(scope.view(texts))),
        positions(readIntegers(scope.view(positions))), places(scope.view(table).shape[1]),
        rows(scope.view(table).shape[0]), pages(pages), page(page) {}

  /// The page that holds `position` of the text of token `t`.
  llvm::Expected<int64_t> pageOf(int64_t t, int64_t position) const {
    int64_t text = texts[t], place = position / page;
    if (text < 0 || text >= rows || position < 0 || place >= places)
      return fail(op, "token " + std::to_string(t) + " is of text " + std::to_string(text) + " at position " +
                          std::to_string(position) + ", which the table does not have");
    int64_t number = table[text * places + place];
    if (number < 0 || number >= pages)
      return fail(op, "page " + std::to_string(number) + " is none of " + std::to_string(pages));
    return number;
  }
  int64_t position(int64_t t) const { return positions[t]; }
  /// Whether no neighbour of the token is of its text.
  bool isAlone(int64_t t) const {
    return (t == 0 || texts[t - 1] != texts[t]) && (t + 1 == tokens() || texts[t + 1] != texts[t]);
  }
  int64_t tokens() const { return int64_t(texts.size()); }

private:
  Operation *op;
  std::vector<int64_t> table, texts, positions;
  int64_t places, rows, pages, page;
};

/// The numbers of the pools of one layer.
struct Pools {
  std::vector<double> keys, values;
  cache::PoolSizes sizes;

  static Pools of(Operation *op, ValueRange pools, const Scope &scope) {
    Pools result{readFloats(scope.view(pools[0])), readFloats(scope.view(pools[1])), *cache::PoolSizes::of(op, pools)};
    if (!result.sizes.isByte)
      return result;
    const cache::PoolSizes &s = result.sizes;
    std::vector<double> keyScales = readFloats(scope.view(pools[2])), valueScales = readFloats(scope.view(pools[3]));
    for (size_t i = 0; i < result.keys.size(); ++i)
      result.keys[i] *= keyScales[i / (s.keyWidth * s.page) * s.page + i % s.page];
    for (size_t i = 0; i < result.values.size(); ++i)
      result.values[i] *= valueScales[i / s.valueWidth];
    return result;
  }
  double key(int64_t page, int64_t head, int64_t slot, int64_t d) const {
    return keys[((page * sizes.heads + head) * sizes.keyWidth + d) * sizes.page + slot];
  }
  double value(int64_t page, int64_t head, int64_t slot, int64_t e) const {
    return values[((page * sizes.heads + head) * sizes.page + slot) * sizes.valueWidth + e];
  }
};
} // namespace

llvm::Error tamis::reference::evaluateOp(cache::AppendOp op, const Scope &scope, MutableArrayRef<HostTensor> results) {
  for (auto [pool, result] : llvm::zip_equal(op.getPools(), results)) {
    TensorView view = scope.view(pool);
    result.bytes.assign(view.bytes.begin(), view.bytes.end());
  }
  cache::PoolSizes s = *cache::PoolSizes::of(op, op.getPools());
  Places places(op, scope, op.getTable(), op.getTexts(), op.getPositions(), results[0].shape[0], s.page);
  auto write = [&](unsigned number, const std::vector<double> &rows, int64_t width, bool isKey) -> llvm::Error {
    auto *numbers = reinterpret_cast<float *>(results[number].bytes.data());
    auto *bytes = reinterpret_cast<int8_t *>(results[number].bytes.data());
    for (int64_t t = 0; t < places.tokens(); ++t) {
      auto page = places.pageOf(t, places.position(t));
      if (!page)
        return page.takeError();
      int64_t slot = places.position(t) % s.page;
      for (int64_t head = 0; head < s.heads; ++head) {
        const double *row = rows.data() + (t * s.heads + head) * width;
        int64_t line = *page * s.heads + head;
        float largest = 0;
        for (int64_t i = 0; i < width; ++i)
          largest = std::max(largest, std::fabs(float(row[i])));
        // In f32, as kernels do: the quotient decides how a number is rounded.
        float inverse = largest > 0 ? 127.0f / largest : 0;
        for (int64_t i = 0; i < width; ++i) {
          int64_t at = isKey ? (line * width + i) * s.page + slot : (line * s.page + slot) * width + i;
          if (s.isByte)
            bytes[at] = int8_t(std::nearbyint(std::clamp(float(row[i]) * inverse, -127.0f, 127.0f)));
          else
            numbers[at] = float(row[i]);
        }
        if (s.isByte)
          reinterpret_cast<float *>(results[number + 2].bytes.data())[line * s.page + slot] = largest * (1 / 127.0f);
      }
    }
    return llvm::Error::success();
  };
  std::vector<double> keys = readFloats(scope.view(op.getKey()));
  if (llvm::Error error = write(0, keys, s.keyWidth, true))
    return error;
  if (s.hasBounds) {
    auto *bounds = reinterpret_cast<float *>(results.back().bytes.data());
    for (int64_t t = 0; t < places.tokens(); ++t)
      for (int64_t i = 0; i < s.heads * s.keyWidth; ++i) {
        int64_t head = i / s.keyWidth, d = i % s.keyWidth, page = llvm::cantFail(places.pageOf(t, places.position(t)));
        float *low = bounds + (page * s.heads + head) * 2 * s.keyWidth + d, *high = low + s.keyWidth;
        auto key = float(keys[t * s.heads * s.keyWidth + i]);
        bool isFirst = places.position(t) % s.page == 0;
        *low = isFirst ? key : std::min(*low, key);
        *high = isFirst ? key : std::max(*high, key);
      }
  }
  return write(1, readFloats(scope.view(op.getValue())), s.valueWidth, false);
}

llvm::Error tamis::reference::evaluateOp(cache::SelectOp op, const Scope &scope, HostTensor &result) {
  TensorView view = scope.view(op.getBounds());
  std::vector<double> bounds = readFloats(view), query = readFloats(scope.view(op.getQuery()));
  int64_t keyHeads = view.shape[1], width = view.shape[3], heads = op.getHeads(), group = heads / keyHeads,
          count = op.getCount(), page = op.getPage();
  Places places(op, scope, op.getTable(), op.getTexts(), op.getPositions(), view.shape[0], page);
  std::vector<int64_t> all(result.size(), -1);
  for (int64_t t = 0; t < places.tokens(); ++t) {
    int64_t used = places.position(t) / page + 1;
    for (int64_t place = 0; place < used || place == 0; ++place)
      if (auto found = places.pageOf(t, std::min(place * page, places.position(t))); !found)
        return found.takeError();
    for (int64_t head = 0; head < keyHeads && places.isAlone(t) && used > count; ++head) {
      std::vector<std::pair<double, int64_t>> scores; // negated, so that the best come first
      for (int64_t place = 0; place < used; ++place) {
        double best = -std::numeric_limits<double>::infinity();
        int64_t number = llvm::cantFail(places.pageOf(t, place * page));
        for (int64_t h = head * group; h < (head + 1) * group; ++h) {
          double sum = 0;
          for (int64_t d = 0; d < width; ++d) {
            double q = query[(t * heads + h) * width + d];
            const double *low = bounds.data() + (number * keyHeads + head) * 2 * width + d;
            sum += std::max(q * low[0], q * low[width]);
          }
          best = std::max(best, sum);
        }
        if (place == 0 || place + 2 >= used)
          best = std::numeric_limits<double>::infinity();
        scores.push_back({-best, place});
      }
      std::sort(scores.begin(), scores.end());
      std::sort(scores.begin(), scores.begin() + count,
                [](const auto &a, const auto &b) { return a.second < b.second; });
      int64_t *row = all.data() + (t * keyHeads + head) * (count + 1);
      row[0] = count;
      for (int64_t i = 0; i < count; ++i)
        row[1 + i] = scores[size_t(i)].second;
    }
  }
  writeIntegers(result, all);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(cache::AttendOp op, const Scope &scope, HostTensor &result) {
  Pools pools = Pools::of(op, op.getPools(), scope);
  const cache::PoolSizes &s = pools.sizes;
  int64_t pages = scope.view(op.getPools()[0]).shape[0], heads = op.getHeads(), group = heads / s.heads;
  Places places(op, scope, op.getTable(), op.getTexts(), op.getPositions(), pages, s.page);
  std::vector<double> query = readFloats(scope.view(op.getQuery()));
  double scale = op.getScale().convertToDouble();
  std::vector<int64_t> index = op.getIndex() ? readIntegers(scope.view(op.getIndex())) : std::vector<int64_t>();
  int64_t room = op.getIndex() ? scope.view(op.getIndex()).shape[2] : 0;
  bool isPartial = result.shape.size() == 4;
  int64_t parts = isPartial ? result.shape[1] : 1, row = s.valueWidth + isPartial;
  int64_t each = (scope.view(op.getTable()).shape[1] + parts - 1) / parts * s.page; // tokens of a part
  std::vector<double> all(result.size(), 0);
  for (int64_t t = 0; t < places.tokens(); ++t) {
    int64_t count = places.position(t) + 1;
    for (int64_t place = 0; place < count; place += s.page)
      if (auto page = places.pageOf(t, place); !page)
        return page.takeError();
    if (count < 1)
      return places.pageOf(t, count - 1).takeError();
    for (int64_t part = 0; part < parts; ++part)
      for (int64_t head = 0; head < heads; ++head) {
        // The tokens that this part reads, in order.
        std::vector<int64_t> tokens;
        const int64_t *selected = index.data() + (t * s.heads + head / group) * room;
        if (room && selected[0] >= 0) {
          int64_t eachPlace = (selected[0] + parts - 1) / parts;
          for (int64_t i = part * eachPlace; i < std::min(selected[0], (part + 1) * eachPlace); ++i)
            for (int64_t token = selected[1 + i] * s.page; token < std::min(count, (selected[1 + i] + 1) * s.page);
                 ++token)
              tokens.push_back(token);
        } else {
          for (int64_t token = part * each; token < std::min(count, (part + 1) * each); ++token)
            tokens.push_back(token);
        }
        std::vector<double> scores;
        double most = -std::numeric_limits<double>::infinity(), sum = 0;
        for (int64_t i : tokens) {
          double score = 0;
          for (int64_t d = 0; d < s.keyWidth; ++d)
            score += query[(t * heads + head) * s.keyWidth + d] *
                     pools.key(llvm::cantFail(places.pageOf(t, i)), head / group, i % s.page, d);
          scores.push_back(score * scale);
          most = std::max(most, scores.back());
        }
        double *out = all.data() + ((t * parts + part) * heads + head) * row;
        for (auto [number, i] : llvm::enumerate(tokens)) {
          double weight = std::exp(scores[number] - most);
          sum += weight;
          for (int64_t e = 0; e < s.valueWidth; ++e)
            out[e] += weight * pools.value(llvm::cantFail(places.pageOf(t, i)), head / group, i % s.page, e);
        }
        for (int64_t e = 0; e < s.valueWidth; ++e)
          out[e] = !tokens.empty() ? out[e] / sum : 0;
        if (isPartial)
          out[s.valueWidth] = !tokens.empty() ? most + std::log(sum) : most;
      }
  }
  writeFloats(result, 0, all);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(cache::MergeOp op, const Scope &scope, HostTensor &result) {
  TensorView view = scope.view(op.getInput());
  std::vector<double> input = readFloats(view), all(result.size(), 0);
  int64_t parts = view.shape[1], heads = view.shape[2], row = view.shape[3], width = row - 1;
  for (int64_t t = 0; t < view.shape[0]; ++t)
    for (int64_t head = 0; head < heads; ++head) {
      auto at = [&](int64_t part) { return input.data() + ((t * parts + part) * heads + head) * row; };
      double most = -std::numeric_limits<double>::infinity(), sum = 0;
      for (int64_t part = 0; part < parts; ++part)
        most = std::max(most, at(part)[width]);
      if (std::isinf(most))
        continue;
      for (int64_t part = 0; part < parts; ++part)
        sum += std::exp(at(part)[width] - most);
      for (int64_t part = 0; part < parts; ++part)
        for (int64_t e = 0; e < width; ++e)
          all[(t * heads + head) * width + e] += std::exp(at(part)[width] - most) / sum * at(part)[e];
    }
  writeFloats(result, 0, all);
  return llvm::Error::success();
}
