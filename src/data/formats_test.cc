// Files of others: what is in them, and what is wrong with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/archive.h"
#include "data/npy.h"
#include "data/picture_file.h"
#include "data/test_files.h"
#include "data/wav.h"
#include "samples/number_tensor.h"

namespace subbyte {
namespace {

using namespace test;
using testing::Each;
using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;

Expected<Tensor> npy(const std::string& text) {
  const auto content = std::make_shared<Content>(bytes_of(text));
  return read_npy(*content, content);
}

TEST(Npy, RowMajorAndColumnMajor) {
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const auto rows = npy(floats_npy("2, 3", values));
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_THAT(rows->dims, ElementsAre(2, 3));
  EXPECT_THAT(floats_of(*rows), ElementsAre(1, 2, 3, 4, 5, 6));
  const auto columns = npy(npy_text("<f4", "2, 3", raw(values), true));
  ASSERT_TRUE(columns) << columns.error().message;
  EXPECT_THAT(floats_of(*columns), ElementsAre(1, 3, 5, 2, 4, 6));
}

TEST(Npy, DtypesAndShapes) {
  const auto ids = npy(npy_text("<i8", "2,", raw(std::vector<std::int64_t>{7, -1})));
  ASSERT_TRUE(ids) << ids.error().message;
  EXPECT_EQ(ids->dtype, DType::int64);
  EXPECT_THAT(*integer_values(*ids), ElementsAre(7, -1));
  EXPECT_TRUE(npy(npy_text("|b1", "", "\1"))->dims.empty());
  EXPECT_EQ(npy(npy_text("|u1", "0, 4", ""))->elements(), 0);
  EXPECT_TRUE(npy(npy_text("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
                           raw(std::vector<float>{1}), 2)));
}

TEST(Npy, WhatIsWrong) {
  const auto message = [](const std::string& text) {
    const auto found = npy(text);
    return found ? "" : found.error().message;
  };
  EXPECT_THAT(message("no array"), HasSubstr("is no .npy file"));
  EXPECT_THAT(message(std::string("\x93NUMPY\1\0\xff\xff{", 11)), HasSubstr("no .npy file"));
  EXPECT_THAT(message(std::string("\x93NUMPY\1\0\xff\xff{  ", 13)), HasSubstr("versions 1 to 3"));
  EXPECT_THAT(message(npy_text("{'descr': '<f4'}", "")), HasSubstr("does not say"));
  EXPECT_THAT(message(npy_text("<c8", "1", "12345678")), HasSubstr("'<c8' is not one"));
  EXPECT_THAT(message(npy_text(">f4", "1", "1234")), HasSubstr("little-endian"));
  EXPECT_THAT(message(npy_text("|O", "1", "1234")), HasSubstr("'|O'"));
  EXPECT_THAT(message(npy_text("<f4", "3", "12345678")), HasSubstr("holds 8 bytes"));
  EXPECT_THAT(message(npy_text("<f4", "4294967296, 4294967296, 4", "1234")),
              HasSubstr("needs more"));
  EXPECT_THAT(message(npy_text("<f4", "-1", "1234")), HasSubstr("does not say"));
}

TEST(Archive, ItsMembers) {
  const Content bytes = zip_of({{"x.npy", "hello"}, {"y.npy", std::string(100000, 'a')}});
  const auto members = read_archive(bytes, 1 << 20);
  ASSERT_TRUE(members) << members.error().message;
  ASSERT_EQ(members->size(), 2u);
  EXPECT_EQ((*members)[0].name, "x.npy");
  EXPECT_EQ(*(*members)[0].content, bytes_of("hello"));
  EXPECT_EQ((*members)[1].content->size(), 100000u);
}

TEST(Archive, WhatIsWrong) {
  const Content good = zip_of({{"x.npy", std::string(100000, 'a')}});
  EXPECT_THAT(read_archive(good, 1000).error().message, HasSubstr("more than 1.00 kB unpacked"));
  EXPECT_FALSE(read_archive(bytes_of("no archive"), 1 << 20));
  EXPECT_FALSE(read_archive({}, 1 << 20));
  // No byte that changes, and no end that is missing, does more than make an error.
  for (std::size_t at = 0; at < good.size(); at += 3) {
    Content changed = good;
    changed[at] ^= std::byte{0x55};
    const auto members = read_archive(changed, 1 << 20);
    for (const Member& member : members.value_or(std::vector<Member>())) {
      EXPECT_LE(member.content->size(), 1u << 20);
    }
    EXPECT_FALSE(read_archive(std::span(good).first(at), 1 << 20));
  }
}

const std::vector<std::uint8_t> kPixels{255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255};

TEST(PictureFile, Png) {
  const auto picture = read_png(png_of(2, 2, kPixels));
  ASSERT_TRUE(picture) << picture.error().message;
  EXPECT_EQ(picture->at(0, 0, 0), 1);
  EXPECT_EQ(picture->at(1, 0, 0), 0);
  EXPECT_EQ(picture->at(1, 0, 1), 1);
  EXPECT_EQ(picture->at(2, 1, 0), 1);
  EXPECT_EQ(picture->at(0, 1, 1), 1);
}

TEST(PictureFile, Jpeg) {
  const auto picture = read_jpeg(jpeg_of(8, 16, std::vector<std::uint8_t>(8 * 16 * 3, 100)));
  ASSERT_TRUE(picture) << picture.error().message;
  EXPECT_EQ(picture->height, 8);
  EXPECT_EQ(picture->width, 16);
  EXPECT_THAT(picture->values, Each(FloatNear(100.0f / 255, 0.01f)));
}

TEST(PictureFile, WhatIsWrong) {
  const Content png = png_of(2, 2, kPixels);
  const Content jpeg = jpeg_of(8, 16, std::vector<std::uint8_t>(8 * 16 * 3, 100));
  EXPECT_THAT(read_png(jpeg).error().message, HasSubstr("no PNG file"));
  EXPECT_THAT(read_jpeg(png).error().message, HasSubstr("no JPEG file"));
  EXPECT_THAT(read_png(std::span(png).first(50)).error().message, HasSubstr("PNG file"));
  EXPECT_THAT(read_jpeg(std::span(jpeg).first(jpeg.size() / 2)).error().message,
              HasSubstr("JPEG file"));
  // 100,000 by 100,000 pixels: the header's big-endian sizes.
  Content large = png;
  for (const std::size_t at : {16, 20}) {
    const std::uint8_t size[] = {0, 1, 0x86, 0xa0};
    std::memcpy(large.data() + at, size, 4);
  }
  EXPECT_FALSE(read_png(large));
}

TEST(Resized, KeepsMeansAndEnds) {
  Picture picture(1, 4, 8);
  for (std::int64_t x = 0; x < 8; ++x)
    for (std::int64_t y = 0; y < 4; ++y) picture.at(0, y, x) = static_cast<float>(x);
  const Picture same = resized(picture, 4, 8);
  EXPECT_EQ(same.values, picture.values);
  const Picture half = resized(picture, 2, 4);
  // Inside a ramp the mean over two pixels.
  EXPECT_NEAR(half.at(0, 0, 1), 2.5, 1e-6);
  EXPECT_NEAR(half.at(0, 1, 2), 4.5, 1e-6);
  const Picture twice = resized(picture, 8, 16);
  EXPECT_NEAR(twice.at(0, 3, 0), 0, 1e-6);
  EXPECT_NEAR(twice.at(0, 3, 7), 3.25, 1e-6);
}

TEST(Wav, Formats) {
  const auto samples = [](const std::string& text) {
    auto sound = read_wav(bytes_of(text));
    if (!sound) throw std::runtime_error(sound.error().message);
    return sound->samples;
  };
  EXPECT_THAT(samples(wav_text(1, 1, 16, 16000, raw(std::vector<std::int16_t>{0, -32768, 16384}))),
              ElementsAre(0, -1, 0.5f));
  EXPECT_THAT(samples(wav_text(1, 1, 8, 8000, std::string("\x80\0\xc0", 3))),
              ElementsAre(0, -1, 0.5f));
  EXPECT_THAT(samples(wav_text(1, 1, 24, 8000, std::string("\0\0\x80\0\0\x40", 6))),
              ElementsAre(-1, 0.5f));
  EXPECT_THAT(samples(wav_text(3, 2, 32, 8000, raw(std::vector<float>{0.5f, 0.25f, 1, 0}))),
              ElementsAre(0.375f, 0.5f));
}

TEST(Wav, WhatIsWrong) {
  const auto message = [](const std::string& text) {
    return read_wav(bytes_of(text)).error().message;
  };
  EXPECT_THAT(message("RIFF"), HasSubstr("no WAVE file"));
  EXPECT_THAT(message(wav_text(6, 1, 8, 8000, "1234")), HasSubstr("format 6 and 8 bits"));
  EXPECT_THAT(message(wav_text(1, 0, 16, 8000, "1234")), HasSubstr("0 channels"));
  EXPECT_THAT(message(wav_text(1, 1, 16, 1, "1234")), HasSubstr("1 samples a second"));
  EXPECT_THAT(message(wav_text(1, 1, 16, 8000, "1234").substr(0, 30)), HasSubstr("damaged"));
}

TEST(Wav, Resampled) {
  Sound ramp{16000, {}};
  for (int i = 0; i < 100; ++i) ramp.samples.push_back(static_cast<float>(i));
  EXPECT_EQ(*resampled(ramp, 16000), ramp.samples);
  const auto half = *resampled(ramp, 8000);
  ASSERT_EQ(half.size(), 50u);
  EXPECT_NEAR(half[20], 40, 1e-4);
  const auto twice = *resampled(ramp, 32000);
  ASSERT_EQ(twice.size(), 200u);
  EXPECT_NEAR(twice[41], 20.5, 1e-4);
}

}  // namespace
}  // namespace subbyte
