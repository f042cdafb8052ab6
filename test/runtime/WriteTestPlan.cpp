// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes the plan of SharedLibraryTest.c to the file named on the command line.

#include "test/runtime/PlanBuilder.h"
#include <fstream>

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  tamis::test::Bytes file = tamis::test::chainPlan(10, 1000).build();
  std::ofstream out(argv[1], std::ios::binary);
  out.write(reinterpret_cast<const char *>(file.data()), std::streamsize(file.size()));
  return out.flush() ? 0 : 1;
}
