// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Enumerations of the sattn dialect. Apart, because enumerations are generated for all that a file includes.
#ifndef TAMIS_SATTN_ENUMS
#define TAMIS_SATTN_ENUMS

include "mlir/IR/EnumAttr.td"

class Sattn_Enum<string name, string summary, list<string> words>
    : I32EnumAttr<name, summary, !foreach(i, !range(!size(words)), I32EnumAttrCase<words[i], i>)> {
  let cppNamespace = "::tamis::sattn";
  let genSpecializedAttr = 0;
}

def Sattn_Unit : Sattn_Enum<"Unit", "what an item of an index is", ["token", "block", "page"]>;

def Sattn_SummaryKind : Sattn_Enum<"SummaryKind", "how a block of tokens becomes one vector", [
  "mean", "max", "min", "bounds", "signs", "stack", "stack_reversed"]>;

def Sattn_BudgetKind : Sattn_Enum<"BudgetKind", "how many items a row keeps", [
  "count", "fraction", "mass", "share", "threshold", "quantile"]>;

def Sattn_WeighKind : Sattn_Enum<"WeighKind", "what weights are summed over", ["blocks", "diagonals"]>;

def Sattn_FeatureMap : Sattn_Enum<"FeatureMap", "what linear attention makes of queries and keys", ["elu1", "relu"]>;

def Sattn_AnnMethod : Sattn_Enum<"AnnMethod", "how near neighbours are found", ["lsh", "pq"]>;

#endif
