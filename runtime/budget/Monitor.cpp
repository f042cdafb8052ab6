// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counting, and the two texts.

#include "runtime/budget/Monitor.h"
#include "runtime/budget/Numbers.h"
#include <cstdarg>
#include <cstdio>

namespace tamis::runtime {

void Histogram::add(double time) {
  // The exponent and the highest digits of a number count up as it does.
  int64_t step = time > kFirst ? int64_t(bitsOf(time) >> kDropped) - int64_t(bitsOf(kFirst) >> kDropped) : 0;
  ++counts[step < kSteps ? step : kSteps - 1];
  ++total;
  seconds += time;
}

double Histogram::quantile(double share) const {
  if (!total)
    return 0;
  double below = double(counts[0]), wanted = share * double(total);
  int step = 0;
  while (below < wanted && step + 1 < kSteps)
    below += double(counts[++step]);
  return fromBits(((bitsOf(kFirst) >> kDropped) + uint64_t(step) + 1) << kDropped); // the upper end
}

void Monitor::add(const Served &served) {
  latencies[int(served.level)].add(served.latency);
  all.add(served.latency);
  byHand[int(served.level)] += served.byHand;
  busy += served.seconds;
  flops += served.flops;
  bytes += served.bytes;
  elements += served.elements;
}

void Monitor::addAgreement(double cosine) {
  ++compared;
  cosines += cosine;
  worst = cosine < worst ? cosine : worst;
}

tamis_budget_stats Monitor::stats(double now) const {
  tamis_budget_stats stats = {};
  for (int i = 0; i < kBudgetLevels; ++i) {
    stats.requests[i] = latencies[i].count();
    stats.by_hand[i] = byHand[i];
    stats.p50[i] = latencies[i].quantile(0.5);
    stats.p99[i] = latencies[i].quantile(0.99);
  }
  stats.all_p50 = all.quantile(0.5);
  stats.all_p99 = all.quantile(0.99);
  stats.switches_up = raised;
  stats.switches_down = lowered;
  stats.compared = compared;
  stats.mean_cosine = compared ? cosines / double(compared) : 1;
  stats.worst_cosine = worst;
  stats.elapsed_seconds = now - start;
  stats.busy_seconds = busy;
  stats.utilisation = now > start ? busy / (now - start) : 0;
  stats.flops = flops;
  stats.bytes_per_element = elements > 0 ? bytes / elements : 0;
  stats.weight_bytes = weightBytes;
  stats.working_bytes = workingBytes;
  return stats;
}

namespace {
/// Text that goes on where the room ends, to be measured.
class Text {
public:
  Text(char *text, size_t size) : text(text), size(size) {
    if (size)
      *text = 0;
  }
  __attribute__((format(printf, 2, 3))) void add(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(length < size ? text + length : nullptr, length < size ? size - length : 0, format, arguments);
    va_end(arguments);
    length += more > 0 ? size_t(more) : 0;
  }
  size_t length = 0;

private:
  char *text;
  size_t size;
};

using Count = unsigned long long;

const char *nameOf(int path) {
  return tamis_budget_path_name(tamis_budget_path(path));
}

void writePrometheus(const tamis_budget_stats &stats, Text &text) {
  auto about = [&](const char *name, const char *type, const char *help) {
    text.add("# HELP tamis_%s %s\n# TYPE tamis_%s %s\n", name, help, name, type);
  };
  about("requests_total", "counter", "Requests that were run, by path and by who chose it.");
  for (int i = 0; i < kBudgetLevels; ++i) {
    Count byHand = stats.by_hand[i];
    text.add("tamis_requests_total{path=\"%s\",chosen=\"controller\"} %llu\n", nameOf(i), stats.requests[i] - byHand);
    text.add("tamis_requests_total{path=\"%s\",chosen=\"hand\"} %llu\n", nameOf(i), byHand);
  }
  about("precision_switches_total", "counter", "Changes of the controller's path.");
  text.add("tamis_precision_switches_total{direction=\"up\"} %llu\n", Count(stats.switches_up));
  text.add("tamis_precision_switches_total{direction=\"down\"} %llu\n", Count(stats.switches_down));
  about("latency_seconds", "gauge", "Quantiles of the time from arrival to answer, by path.");
  for (int i = 0; i < kBudgetLevels; ++i) {
    text.add("tamis_latency_seconds{path=\"%s\",quantile=\"0.5\"} %.6g\n", nameOf(i), stats.p50[i]);
    text.add("tamis_latency_seconds{path=\"%s\",quantile=\"0.99\"} %.6g\n", nameOf(i), stats.p99[i]);
  }
  text.add("tamis_latency_seconds{path=\"all\",quantile=\"0.5\"} %.6g\n", stats.all_p50);
  text.add("tamis_latency_seconds{path=\"all\",quantile=\"0.99\"} %.6g\n", stats.all_p99);
  about("agreement_cosine", "gauge", "Cosine of answers with the precise path's, of the sampled requests.");
  text.add("tamis_agreement_cosine{kind=\"mean\"} %.9g\n", stats.mean_cosine);
  text.add("tamis_agreement_cosine{kind=\"worst\"} %.9g\n", stats.worst_cosine);
  about("compared_requests_total", "counter", "Requests that ran on the precise path as well.");
  text.add("tamis_compared_requests_total %llu\n", Count(stats.compared));
  about("busy_seconds_total", "counter", "Seconds of runs.");
  text.add("tamis_busy_seconds_total %.6g\n", stats.busy_seconds);
  about("utilisation", "gauge", "Seconds of runs over those since the start.");
  text.add("tamis_utilisation %.6g\n", stats.utilisation);
  about("flops_total", "counter", "Floating-point operations of all runs, as the plan counts them.");
  text.add("tamis_flops_total %.6g\n", stats.flops);
  about("bytes_per_token", "gauge", "Bytes read and written for an element of the first input.");
  text.add("tamis_bytes_per_token %.6g\n", stats.bytes_per_element);
  about("memory_bytes", "gauge", "Weights, which the paths share, and what runs work in.");
  text.add("tamis_memory_bytes{kind=\"weights\"} %lld\n", static_cast<long long>(stats.weight_bytes));
  text.add("tamis_memory_bytes{kind=\"working\"} %lld\n", static_cast<long long>(stats.working_bytes));
}

void writeJson(const tamis_budget_stats &stats, Text &text) {
  text.add("{\"paths\": {");
  for (int i = 0; i < kBudgetLevels; ++i)
    text.add("%s\"%s\": {\"requests\": %llu, \"by_hand\": %llu, \"p50_seconds\": %.6g, \"p99_seconds\": %.6g}",
             i ? ",\n  " : "\n  ", nameOf(i), Count(stats.requests[i]), Count(stats.by_hand[i]), stats.p50[i],
             stats.p99[i]);
  text.add("},\n \"p50_seconds\": %.6g, \"p99_seconds\": %.6g,\n", stats.all_p50, stats.all_p99);
  text.add(" \"switches\": {\"up\": %llu, \"down\": %llu},\n", Count(stats.switches_up), Count(stats.switches_down));
  text.add(" \"agreement\": {\"compared\": %llu, \"mean_cosine\": %.9g, \"worst_cosine\": %.9g},\n",
           Count(stats.compared), stats.mean_cosine, stats.worst_cosine);
  text.add(" \"elapsed_seconds\": %.6g, \"busy_seconds\": %.6g, \"utilisation\": %.6g, \"flops\": %.6g,\n",
           stats.elapsed_seconds, stats.busy_seconds, stats.utilisation, stats.flops);
  text.add(" \"bytes_per_token\": %.6g, \"weight_bytes\": %lld, \"working_bytes\": %lld}\n", stats.bytes_per_element,
           static_cast<long long>(stats.weight_bytes), static_cast<long long>(stats.working_bytes));
}
} // namespace

size_t Monitor::write(const tamis_budget_stats &stats, tamis_budget_format format, char *place, size_t size) {
  Text text(place, size);
  if (format == TAMIS_BUDGET_JSON)
    writeJson(stats, text);
  else
    writePrometheus(stats, text);
  return text.length;
}

} // namespace tamis::runtime
