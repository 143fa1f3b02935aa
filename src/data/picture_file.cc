#include "data/picture_file.h"

#include <png.h>
#include <turbojpeg.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace subbyte {

namespace {

constexpr std::int64_t kColours = 3;

// Of pixels of three bytes each.
Picture picture_of(const std::vector<std::uint8_t>& pixels, std::int64_t height,
                   std::int64_t width) {
  Picture picture(kColours, height, width);
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (std::int64_t c = 0; c < kColours; ++c)
        picture.at(c, y, x) =
            static_cast<float>(pixels[static_cast<std::size_t>((y * width + x) * kColours + c)]) /
            255.0f;
  return picture;
}

Expected<void> check_size(std::int64_t height, std::int64_t width) {
  if (height > 0 && width > 0 && height <= kMostPixels / width) return {};
  return fail("it has {} x {} pixels; up to {} million are read", width, height,
              kMostPixels / 1'000'000);
}

}  // namespace

Expected<Picture> read_png(Bytes bytes) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, decltype(&png_image_free)> frees(&image, png_image_free);
  if (png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) == 0)
    return fail("it is no PNG file that can be read: {}", image.message);
  SUBBYTE_CHECK_OK(check_size(image.height, image.width));
  image.format = PNG_FORMAT_RGB;
  std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(image));
  const png_color black{0, 0, 0};
  if (png_image_finish_read(&image, &black, pixels.data(), 0, nullptr) == 0)
    return fail("it is a damaged PNG file: {}", image.message);
  return picture_of(pixels, image.height, image.width);
}

Expected<Picture> read_jpeg(Bytes bytes) {
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  if (!decoder) return fail("no decoder of JPEG: {}", tjGetErrorStr2(nullptr));
  const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto size = static_cast<unsigned long>(bytes.size());
  int width = 0, height = 0, sampling = 0, colours = 0;
  if (tjDecompressHeader3(decoder.get(), data, size, &width, &height, &sampling, &colours) != 0)
    return fail("it is no JPEG file that can be read: {}", tjGetErrorStr2(decoder.get()));
  SUBBYTE_CHECK_OK(check_size(height, width));
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(height) *
                                   static_cast<std::size_t>(width) * kColours);
  // The slow integer transform is the exact one, the same with and without vector instructions.
  constexpr int kFlags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING;
  if (tjDecompress2(decoder.get(), data, size, pixels.data(), width, 0, height, TJPF_RGB, kFlags) !=
      0)
    return fail("it is a damaged JPEG file: {}", tjGetErrorStr2(decoder.get()));
  return picture_of(pixels, height, width);
}

}  // namespace subbyte
