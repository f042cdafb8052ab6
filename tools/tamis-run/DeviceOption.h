// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The option --device, which every command that runs plans has.

#ifndef TAMIS_TOOLS_TAMIS_RUN_DEVICEOPTION_H
#define TAMIS_TOOLS_TAMIS_RUN_DEVICEOPTION_H

#include "tamis/tamis.hpp"
#include <CLI/CLI.hpp>
#include <string>

namespace tamis::tool {

/// Sets device and number from "cpu", "cuda", "cuda:1" or "emulated"; false, and nothing is set, for any other text.
bool parseDevice(const std::string &text, LoadOptions &options);

/// Adds `--device`, which writes to `text`. `more`: further words that the command knows, as "|reference".
CLI::Option *addDevice(CLI::App &app, std::string &text, const std::string &more = "");

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_RUN_DEVICEOPTION_H
