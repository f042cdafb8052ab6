// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs passes over IR: mlir-opt with the dialects and passes of Tamis.
#include "lib/driver/Register.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  tamis::registerAll(registry);
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "Tamis optimizer driver\n", registry));
}
