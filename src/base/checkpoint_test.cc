#include "base/checkpoint.h"

#include <gtest/gtest.h>

#include "base/memory_file.h"

namespace subbyte {
namespace {

TEST(Checkpoint, KeepsByAllThatItDependsOn) {
  MemoryFileSystem files;
  const auto store = checkpoint_folder(files, "kept");
  const Checkpoint work = Checkpoint(store.get()).of("model").of("samples");
  ASSERT_TRUE(work.keep("codes", "one").has_value());
  EXPECT_EQ(work.find("codes"), "one");
  EXPECT_EQ(Checkpoint(store.get()).of("model").of("samples").find("codes"), "one");
  EXPECT_EQ(work.find("scales"), std::nullopt);
  EXPECT_EQ(Checkpoint(store.get()).of("model").of("others").find("codes"), std::nullopt);
  EXPECT_EQ(Checkpoint(store.get()).of("modelsamples").find("codes"), std::nullopt);
  ASSERT_TRUE(work.keep("codes", "two").has_value());
  EXPECT_EQ(work.find("codes"), "two");
  work.forget("codes");
  EXPECT_EQ(work.find("codes"), std::nullopt);
  EXPECT_TRUE(files.paths().empty());
}

TEST(Checkpoint, WithoutAStoreKeepsNothing) {
  const Checkpoint none = Checkpoint().of("model");
  EXPECT_FALSE(none.keeps());
  EXPECT_TRUE(none.keep("codes", "one").has_value());
  EXPECT_EQ(none.find("codes"), std::nullopt);
}

TEST(Checkpoint, WhatIsNotWholeIsNotThere) {
  MemoryFileSystem files;
  const auto store = checkpoint_folder(files, "kept");
  const Checkpoint work = Checkpoint(store.get()).of("model");
  ASSERT_TRUE(work.keep("codes", "some bytes").has_value());
  const std::string path = files.paths().at(0);
  const std::string whole = files.text(path);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    files.put(path, std::string_view(whole).substr(0, size));
    EXPECT_EQ(work.find("codes"), std::nullopt) << size;
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string other = whole;
    other[i] ^= 1;
    files.put(path, other);
    EXPECT_EQ(work.find("codes"), std::nullopt) << i;
  }
  files.put(path, whole);
  EXPECT_EQ(work.find("codes"), "some bytes");
}

TEST(Checkpoint, AFullDiskIsAnError) {
  MemoryFileSystem files;
  files.capacity = 10;
  const auto store = checkpoint_folder(files, "kept");
  EXPECT_FALSE(Checkpoint(store.get()).of("model").keep("codes", "some bytes").has_value());
}

}  // namespace
}  // namespace subbyte
