// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the server counts, as Prometheus reads it.

#include "tools/tamis/serve/Metrics.h"
#include "tools/tamis/Table.h"
#include <algorithm>

namespace tamis::serve {

using tool::format;

static std::string heading(const std::string &name, const std::string &type, const std::string &help) {
  return "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

std::string metricText(const std::string &name, const std::string &type, const std::string &help, double value) {
  return heading(name, type, help) + name + format(" %.17g\n", value);
}

void Histogram::add(double value) {
  ++counts[size_t(std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin())];
  sum += value;
}

std::string Histogram::text(const std::string &name, const std::string &help) const {
  std::string text = heading(name, "histogram", help);
  unsigned long long below = 0;
  for (size_t i = 0; i < bounds.size(); ++i) {
    below += counts[i];
    text += name + format("_bucket{le=\"%g\"} %llu\n", bounds[i], below);
  }
  below += counts.back();
  return text + name + format("_bucket{le=\"+Inf\"} %llu\n", below) + name + format("_sum %.17g\n", sum) + name +
         format("_count %llu\n", below);
}

void Metrics::request(const std::string &path, int status, double took) {
  std::lock_guard lock(mutex);
  ++requests[{path, status}];
  seconds.add(took);
}

void Metrics::firstToken(double took) {
  std::lock_guard lock(mutex);
  firstTokens.add(took);
}

void Metrics::embeddingBatch(size_t size) {
  std::lock_guard lock(mutex);
  batches.add(double(size));
}

std::string Metrics::text() const {
  std::lock_guard lock(mutex);
  std::string text = heading("tamis_requests_total", "counter", "Requests that were answered.");
  for (const auto &[key, count] : requests)
    text += format("tamis_requests_total{path=\"%s\",status=\"%d\"} %llu\n", key.first.c_str(), key.second,
                   static_cast<unsigned long long>(count));
  return text + seconds.text("tamis_request_seconds", "From a request's arrival to its last byte.") +
         firstTokens.text("tamis_first_token_seconds", "From a request's arrival to its first token.") +
         batches.text("tamis_embedding_batch", "Texts in one run for embeddings.");
}

} // namespace tamis::serve
