// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Words for devices.

#include "tools/tamis-run/DeviceOption.h"
#include <cstdlib>

namespace tamis::tool {

bool parseDevice(const std::string &text, LoadOptions &options) {
  tamis_device device = TAMIS_DEVICE_CPU;
  int32_t number = 0;
  if (text == "emulated") {
    device = TAMIS_DEVICE_EMULATED;
  } else if (text.rfind("cuda", 0) == 0) {
    device = TAMIS_DEVICE_CUDA;
    if (text.size() > 4) {
      bool isNumber = text[4] == ':' && text.size() > 5 && text.size() < 10 &&
                      text.find_first_not_of("0123456789", 5) == std::string::npos;
      if (!isNumber)
        return false;
      number = atoi(text.c_str() + 5);
    }
  } else if (text != "cpu") {
    return false;
  }
  options.device = device;
  options.deviceNumber = number;
  return true;
}

CLI::Option *addDevice(CLI::App &app, std::string &text, const std::string &more) {
  std::string words = "cpu|cuda|cuda:N|emulated" + more;
  auto check = [words, more](const std::string &given) {
    LoadOptions ignored;
    bool isMore = !more.empty() && given.find('|') == std::string::npos &&
                  (more + "|").find("|" + given + "|") != std::string::npos;
    return isMore || parseDevice(given, ignored) ? std::string() : "'" + given + "' is none of " + words;
  };
  return app
      .add_option(
          "--device", text,
          "where to run: cpu; cuda, an NVIDIA GPU by its driver, N of several; emulated, the plan's PTX "
          "interpreted and checked on the CPU" +
              std::string(more.empty() ? "" : "; reference, the slow evaluator that says what is right (models)"))
      ->check(CLI::Validator(check, "", "device"))
      ->option_text(words + " [cpu]");
}

} // namespace tamis::tool
