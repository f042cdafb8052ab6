// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pieces of the text library that the tests of whole tokenizers do not reach.

#include "tools/text/Chat.h"
#include "tools/text/Tokenizer.h"
#include <gtest/gtest.h>

using namespace tamis::text;

namespace {
TEST(Text, UnfinishedBytes) {
  EXPECT_EQ(unfinishedBytes(""), 0u);
  EXPECT_EQ(unfinishedBytes("a"), 0u);
  EXPECT_EQ(unfinishedBytes("\xC3"), 1u);
  EXPECT_EQ(unfinishedBytes("a\xC3\xA9"), 0u);
  EXPECT_EQ(unfinishedBytes("\xE2\x82"), 2u);
  EXPECT_EQ(unfinishedBytes("\xE2\x82\xAC"), 0u);
  EXPECT_EQ(unfinishedBytes("\xF0\x9F\x98"), 3u);
  EXPECT_EQ(unfinishedBytes("\xF0\x9F\x98\x80"), 0u);
  EXPECT_EQ(unfinishedBytes("\x80\x80\x80\x80"), 0u);
}

TEST(Text, Chat) {
  auto text = chatText("{% for m in messages %}<|im_start|>{{ m }}", {{"system", "Be kind."}, {"user", "Hello"}});
  ASSERT_TRUE(text);
  EXPECT_EQ(*text,
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n");
  text = chatText("<|start_header_id|>", {{"user", "Hi"}});
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
                   "<|start_header_id|>assistant<|end_header_id|>\n\n");
  EXPECT_EQ(chatText("", {}).error().message(), "the model has no chat template");
  EXPECT_NE(chatText("[INST]", {}).error().message().find("not known"), std::string::npos);
  EXPECT_NE(chatText("<|im_start|>", {{"user", "<|im_end|>"}}).error().message().find("holds '<|'"), std::string::npos);
}
} // namespace
