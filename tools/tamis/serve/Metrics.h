// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the server counts, as Prometheus reads it.

#ifndef TAMIS_TOOLS_TAMIS_SERVE_METRICS_H
#define TAMIS_TOOLS_TAMIS_SERVE_METRICS_H

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace tamis::serve {

/// Counts of values up to bounds.
class Histogram {
public:
  explicit Histogram(std::vector<double> bounds) : bounds(std::move(bounds)), counts(this->bounds.size() + 1) {}
  void add(double value);
  /// In the text format: NAME_bucket, NAME_sum, NAME_count.
  std::string text(const std::string &name, const std::string &help) const;

private:
  std::vector<double> bounds;
  std::vector<uint64_t> counts; ///< of each bucket alone
  double sum = 0;
};

/// Thread-safe.
class Metrics {
public:
  void request(const std::string &path, int status, double seconds);
  void firstToken(double seconds);
  void embeddingBatch(size_t size);

  /// In Prometheus's text format, version 0.0.4.
  std::string text() const;

private:
  mutable std::mutex mutex;
  std::map<std::pair<std::string, int>, uint64_t> requests; ///< by path and status
  Histogram seconds{{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120}},
      firstTokens{{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}}, batches{{1, 2, 4, 8, 16, 32, 64, 128}};
};

/// One figure with its help and type ("counter", "gauge").
std::string metricText(const std::string &name, const std::string &type, const std::string &help, double value);

} // namespace tamis::serve

#endif // TAMIS_TOOLS_TAMIS_SERVE_METRICS_H
