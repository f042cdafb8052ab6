// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Hugging Face folders of BERT's architecture.
#include "test/import/ImportFixture.h"

#include "lib/support/Weights.h"
#include <cmath>

using namespace tamis;
using testing::HasSubstr;

namespace {
struct Tensor {
  std::string name;
  std::vector<int64_t> shape;
};

/// A safetensors file of small numbers that follow from the tensor's name and the element's index.
std::string safetensors(const std::vector<Tensor> &tensors, const char *dtype = "F32") {
  std::string header = "{\"__metadata__\": {\"format\": \"pt\"}", data;
  for (const Tensor &tensor : tensors) {
    int64_t count = 1;
    std::string shape;
    for (int64_t size : tensor.shape) {
      count *= size;
      shape += (shape.empty() ? "" : ", ") + std::to_string(size);
    }
    size_t begin = data.size(), seed = 0;
    for (char c : tensor.name)
      seed = seed * 31 + static_cast<unsigned char>(c);
    for (int64_t i = 0; i < count; ++i) {
      float value = 0.125f * static_cast<float>((seed + i * 5) % 13) - 0.75f;
      data.append(reinterpret_cast<const char *>(&value), sizeof(value));
    }
    header += ", \"" + tensor.name + "\": {\"dtype\": \"" + dtype + "\", \"shape\": [" + shape +
              "], \"data_offsets\": [" + std::to_string(begin) + ", " + std::to_string(data.size()) + "]}";
  }
  header += "}";
  uint64_t length = header.size();
  return std::string(reinterpret_cast<const char *>(&length), 8) + header + data;
}

class HuggingFace : public ImportFixture {
protected:
  /// One layer, width 4, two heads.
  static std::vector<Tensor> bert(const std::string &prefix, bool pooler, const std::string &norm = "weight",
                                  const std::string &normBias = "bias") {
    std::vector<Tensor> tensors{{"embeddings.word_embeddings.weight", {7, 4}},
                                {"embeddings.position_embeddings.weight", {5, 4}},
                                {"embeddings.token_type_embeddings.weight", {2, 4}}};
    auto dense = [&](const std::string &name, int64_t in, int64_t out) {
      tensors.push_back({name + ".weight", {out, in}});
      tensors.push_back({name + ".bias", {out}});
    };
    auto layerNorm = [&](const std::string &name) {
      tensors.push_back({name + ".LayerNorm." + norm, {4}});
      tensors.push_back({name + ".LayerNorm." + normBias, {4}});
    };
    layerNorm("embeddings");
    for (const char *part : {"query", "key", "value"})
      dense(std::string("encoder.layer.0.attention.self.") + part, 4, 4);
    dense("encoder.layer.0.attention.output.dense", 4, 4);
    layerNorm("encoder.layer.0.attention.output");
    dense("encoder.layer.0.intermediate.dense", 4, 6);
    dense("encoder.layer.0.output.dense", 6, 4);
    layerNorm("encoder.layer.0.output");
    if (pooler)
      dense("pooler.dense", 4, 4);
    for (Tensor &tensor : tensors)
      tensor.name = prefix + tensor.name;
    return tensors;
  }

  static std::string config(const std::string &more = "") {
    return "{\"model_type\": \"bert\", \"architectures\": [\"BertModel\"], \"vocab_size\": 7, \"hidden_size\": 4,"
           "\"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"intermediate_size\": 6, \"hidden_act\": \"gelu\","
           "\"max_position_embeddings\": 5, \"type_vocab_size\": 2, \"layer_norm_eps\": 1e-12" +
           more + "}";
  }

  bool importFolder(const std::string &configText, const std::string &weightsText, ImportOptions options = {}) {
    write("model/config.json", configText);
    write("model/model.safetensors", weightsText);
    return import(path("model"), std::move(options));
  }
};

TEST_F(HuggingFace, EncoderWithPooler) {
  ASSERT_TRUE(importFolder(config(), safetensors(bert("", true)))) << messages;
  EXPECT_EQ(messages, "");
  EXPECT_THAT(text(), HasSubstr("{model.name = \"token_type_ids\"}"));
  EXPECT_THAT(text(),
              HasSubstr("model.symbols = [#model.symbol<\"batch\", 1, 65536>, #model.symbol<\"sequence\", 1, 5>]"));
  ASSERT_EQ(main().getNumResults(), 2u);
  EXPECT_EQ(count("model.attention"), 1);
  EXPECT_EQ(count("model.linear"), 7);
  HostTensor hidden = run({integers({1, 3}, {1, 2, 3}), integers({1, 3}, {1, 1, 0}), integers({1, 3}, {0, 0, 1})});
  EXPECT_EQ(hidden.shape, (llvm::SmallVector<int64_t>{1, 3, 4}));
  for (double value : hidden.numbers())
    EXPECT_TRUE(std::isfinite(value));
}

TEST_F(HuggingFace, MaskedTokensDoNotMatter) {
  ASSERT_TRUE(importFolder(config(), safetensors(bert("", false)))) << messages;
  EXPECT_EQ(main().getNumResults(), 1u);
  auto mask = integers({1, 3}, {1, 1, 0}), types = integers({1, 3}, {0, 0, 0});
  std::vector<double> a = run({integers({1, 3}, {1, 2, 3}), mask, types}).numbers();
  std::vector<double> b = run({integers({1, 3}, {1, 2, 6}), mask, types}).numbers();
  for (size_t i = 0; i < 8; ++i) // the first two tokens
    EXPECT_NEAR(a[i], b[i], 1e-6);
}

TEST_F(HuggingFace, PrefixAndOldNames) {
  ASSERT_TRUE(importFolder(config(), safetensors(bert("", false)))) << messages;
  auto ids = integers({1, 2}, {1, 2}), ones = integers({1, 2}, {1, 1}), zeros = integers({1, 2}, {0, 0});
  ASSERT_TRUE(importFolder(config(), safetensors(bert("bert.", false)))) << messages;
  EXPECT_THAT(text(), HasSubstr("model.weight \"bert.embeddings.word_embeddings.weight\""));
  ASSERT_TRUE(importFolder(config(), safetensors(bert("", false, "gamma", "beta")))) << messages;
  EXPECT_THAT(text(), HasSubstr("model.weight \"embeddings.LayerNorm.gamma\""));
  EXPECT_EQ(run({ids, ones, zeros}).shape, (llvm::SmallVector<int64_t>{1, 2, 4}));
}

TEST_F(HuggingFace, ActivationsAndHeads) {
  for (auto [act, kind] : {std::pair("gelu_new", "gelu_tanh"), std::pair("relu", "relu"), std::pair("silu", "silu"),
                           std::pair("quick_gelu", "quick_gelu")}) {
    std::string text = config();
    text.replace(text.find("\"gelu\""), 6, std::string("\"") + act + "\"");
    ASSERT_TRUE(importFolder(text, safetensors(bert("", false)))) << messages;
    EXPECT_THAT(this->text(), HasSubstr("model.activation " + std::string(kind)));
  }
  std::string masked = config();
  masked.replace(masked.find("BertModel"), 9, "BertForMaskedLM");
  ASSERT_TRUE(importFolder(masked, safetensors(bert("bert.", false)))) << messages;
  EXPECT_THAT(messages, HasSubstr("is a BertForMaskedLM; its encoder is imported without the head"));
}

TEST_F(HuggingFace, RangesOfTheUser) {
  std::string weightsText = safetensors(bert("", false));
  ASSERT_TRUE(importFolder(config(), weightsText, {{{"sequence", 1, 4}, {"batch", 2, 2}}})) << messages;
  EXPECT_THAT(text(), HasSubstr("tensor<2x?xi64"));
  EXPECT_FALSE(importFolder(config(), weightsText, {{{"sequence", 1, 6}}}));
  EXPECT_THAT(messages, HasSubstr("has 5 positions but size 'sequence' is given up to 6"));
  EXPECT_FALSE(importFolder(config(), weightsText, {{{"seq", 1, 4}}}));
  EXPECT_THAT(messages, HasSubstr("its dynamic sizes are 'batch', 'sequence'"));
}

TEST_F(HuggingFace, ConfigsThatAreNotSupported) {
  std::string weightsText = safetensors(bert("", false));
  auto fails = [&](const std::string &text) {
    EXPECT_FALSE(importFolder(text, weightsText)) << text;
    return messages;
  };
  EXPECT_THAT(fails("{\"model_type\": \"opt\", \"architectures\": [\"OPTForCausalLM\"]}"),
              HasSubstr("is a model of type 'opt' (OPTForCausalLM) but bert, llama, mistral, qwen2 and qwen3 are"));
  EXPECT_THAT(fails("{\"model_type\": \"llama\", \"vocab_size\": 7}"), HasSubstr("has no 'hidden_size' from 1"));
  EXPECT_THAT(fails(config(", \"position_embedding_type\": \"relative_key\"")), HasSubstr("only 'absolute'"));
  EXPECT_THAT(fails(config(", \"is_decoder\": true")), HasSubstr("only encoders"));
  EXPECT_THAT(fails(config(", \"hidden_act\": \"mish\"")), HasSubstr("has hidden_act 'mish'"));
  EXPECT_THAT(fails(config(", \"hidden_size\": 5")), HasSubstr("leaves a rest"));
  EXPECT_THAT(fails(config(", \"hidden_size\": -4")), HasSubstr("has no 'hidden_size' from 1"));
  EXPECT_THAT(fails(config(", \"hidden_size\": 4.5")), HasSubstr("has no 'hidden_size'"));
  EXPECT_THAT(fails(config(", \"num_hidden_layers\": 1000000000")), HasSubstr("is missing"));
  EXPECT_THAT(fails(config(", \"layer_norm_eps\": \"small\"")), HasSubstr("layer_norm_eps"));
  EXPECT_THAT(fails(config(", \"vocab_size\": 8")),
              HasSubstr("'embeddings.word_embeddings.weight' is tensor<7x4xf32> but tensor<8x4xf32> is wanted"));
  EXPECT_THAT(fails("[1, 2"), HasSubstr("no JSON object"));
  EXPECT_THAT(fails(""), HasSubstr("no JSON object"));
  EXPECT_THAT(fails(std::string(100000, '[')), HasSubstr("no JSON object"));
}

TEST_F(HuggingFace, FoldersThatLackSomething) {
  write("empty/placeholder", "");
  EXPECT_FALSE(import(path("empty")));
  EXPECT_THAT(messages, HasSubstr("the folder has no config.json"));
  write("sharded/config.json", config());
  write("sharded/model.safetensors.index.json", "{}");
  EXPECT_FALSE(import(path("sharded")));
  EXPECT_THAT(messages, HasSubstr("has no object 'weight_map'"));
  for (const char *file : {"../bert/model.safetensors", ".hidden", ""}) {
    write("sharded/model.safetensors.index.json", std::string("{\"weight_map\": {\"w\": \"") + file + "\"}}");
    EXPECT_FALSE(import(path("sharded")));
    EXPECT_THAT(messages, HasSubstr("which is no name within the folder"));
  }
  write("sharded/part.safetensors", safetensors({}));
  write("sharded/model.safetensors.index.json", "{\"weight_map\": {\"w\": \"part.safetensors\"}}");
  EXPECT_FALSE(import(path("sharded")));
  EXPECT_THAT(messages, HasSubstr("names the weight 'w', which 'part.safetensors' lacks"));
}

TEST_F(HuggingFace, MissingWeightsAreListed) {
  std::vector<Tensor> tensors = bert("", false);
  tensors.erase(tensors.begin() + 1);
  tensors.pop_back();
  EXPECT_FALSE(importFolder(config(), safetensors(tensors)));
  EXPECT_THAT(messages, HasSubstr("'embeddings.position_embeddings.weight' is missing; "
                                  "'encoder.layer.0.output.LayerNorm.bias' is missing"));
}
} // namespace
