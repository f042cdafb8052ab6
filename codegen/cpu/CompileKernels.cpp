// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lowers, emits, links, and finds the kernels in the image.
#include "codegen/cpu/CompileKernels.h"
#include "codegen/cpu/CpuPipeline.h"
#include "codegen/cpu/EmitObject.h"
#include "codegen/cpu/LinkImage.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Object/ELFObjectFile.h"

using namespace mlir;
using namespace tamis;

namespace {
/// Entry and size of each kernel, from the image's dynamic symbols.
llvm::Error findKernels(KernelImage &image) {
  llvm::MemoryBufferRef buffer(llvm::StringRef(image.bytes.data(), image.bytes.size()), "image");
  auto object = llvm::object::ObjectFile::createELFObjectFile(buffer);
  if (!object)
    return object.takeError();
  llvm::StringMap<KernelImage::Kernel *> wanted;
  for (KernelImage::Kernel &kernel : image.kernels)
    wanted[kernel.name] = &kernel;
  for (llvm::object::ELFSymbolRef symbol :
       llvm::cast<llvm::object::ELFObjectFileBase>(**object).getDynamicSymbolIterators()) {
    auto name = symbol.getName();
    auto address = symbol.getAddress();
    if (!name || !address)
      return llvm::joinErrors(name.takeError(), address.takeError());
    if (KernelImage::Kernel *kernel = wanted.lookup(*name)) {
      kernel->entry = *address;
      kernel->size = symbol.getSize();
    }
  }
  for (const KernelImage::Kernel &kernel : image.kernels)
    if (!kernel.size)
      return llvm::createStringError("kernel '%s' is missing in the linked image", kernel.name.c_str());
  return llvm::Error::success();
}
} // namespace

llvm::Expected<KernelImage> tamis::compileKernels(ModuleOp tiledKernels, const CpuTarget &target,
                                                  llvm::function_ref<LogicalResult(PassManager &)> configure) {
  KernelImage image;
  for (auto function : tiledKernels.getOps<func::FuncOp>())
    if (function.isPublic() && !function.isExternal())
      image.kernels.push_back({function.getName().str(), 0, 0});
  if (image.kernels.empty())
    return llvm::createStringError("no kernel to compile");
  PassManager manager(tiledKernels->getContext(), ModuleOp::getOperationName());
  if (configure && failed(configure(manager)))
    return llvm::createStringError("the options of the pass manager are invalid");
  buildCpuPipeline(manager);
  if (failed(manager.run(tiledKernels)))
    return llvm::createStringError("kernels cannot be lowered for '%s'", target.name.c_str());
  auto object = emitObject(tiledKernels, target);
  if (!object)
    return object.takeError();
  auto bytes = linkImage(*object, target.isArm() ? 65536 : 4096); // systems on AArch64 choose pages of up to 64 KiB
  if (!bytes)
    return bytes.takeError();
  image.bytes = std::move(*bytes);
  if (llvm::Error error = findKernels(image))
    return error;
  return image;
}
