// Files as other programs write them, for the tests.
#pragma once

#include <png.h>
#include <turbojpeg.h>
#include <zip.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace subbyte::test {

using Content = std::vector<std::byte>;

inline Content bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

template <typename T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// An .npy file: `header` is its dict, `data` the elements' bytes.
inline std::string npy_text(const std::string& header, const std::string& data, char version = 1) {
  const std::string padded = header + "\n";
  std::string text("\x93NUMPY");
  text += version;
  text += '\0';
  const auto length = static_cast<std::uint32_t>(padded.size());
  text.append(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4);
  return text + padded + data;
}
inline std::string npy_text(const std::string& descr, const std::string& shape,
                            const std::string& data, bool column_major = false) {
  return npy_text("{'descr': '" + descr + "', 'fortran_order': " +
                      (column_major ? "True" : "False") + ", 'shape': (" + shape + "), }",
                  data);
}
inline std::string floats_npy(const std::string& shape, const std::vector<float>& values) {
  return npy_text("<f4", shape, raw(values));
}

inline Content zip_of(const std::vector<std::pair<std::string, std::string>>& members) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* const target = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_source_keep(target);
  zip_t* const archive = zip_open_from_source(target, ZIP_CREATE | ZIP_TRUNCATE, &error);
  for (const auto& [name, content] : members) {
    zip_source_t* const source = zip_source_buffer(archive, content.data(), content.size(), 0);
    if (zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8) < 0)
      throw std::runtime_error(zip_strerror(archive));
  }
  if (zip_close(archive) != 0) throw std::runtime_error("the archive is not written");
  zip_source_open(target);
  zip_source_seek(target, 0, SEEK_END);
  Content bytes(static_cast<std::size_t>(zip_source_tell(target)));
  zip_source_seek(target, 0, SEEK_SET);
  zip_source_read(target, bytes.data(), bytes.size());
  zip_source_close(target);
  zip_source_free(target);
  return bytes;
}

// Of pixels of three bytes.
inline Content png_of(std::uint32_t height, std::uint32_t width,
                      const std::vector<std::uint8_t>& rgb) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.height = height;
  image.width = width;
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  png_image_write_to_memory(&image, nullptr, &size, 0, rgb.data(), 0, nullptr);
  Content bytes(size);
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, rgb.data(), 0, nullptr) == 0)
    throw std::runtime_error(image.message);
  bytes.resize(size);
  return bytes;
}

inline Content jpeg_of(int height, int width, const std::vector<std::uint8_t>& rgb) {
  const tjhandle encoder = tjInitCompress();
  unsigned char* written = nullptr;
  unsigned long size = 0;
  tjCompress2(encoder, rgb.data(), width, 0, height, TJPF_RGB, &written, &size, TJSAMP_444, 95, 0);
  const auto bytes = std::as_bytes(std::span(written, size));
  Content content(bytes.begin(), bytes.end());
  tjFree(written);
  tjDestroy(encoder);
  return content;
}

inline std::string wav_text(int code, int channels, int bits, std::uint32_t rate,
                            const std::string& data) {
  const auto number = [](auto value) {
    return std::string(reinterpret_cast<char*>(&value), sizeof value);
  };
  const std::string format = number(static_cast<std::uint16_t>(code)) +
                             number(static_cast<std::uint16_t>(channels)) + number(rate) +
                             number(std::uint32_t{0}) + number(std::uint16_t{0}) +
                             number(static_cast<std::uint16_t>(bits));
  const auto size = [&](const std::string& text) {
    return number(static_cast<std::uint32_t>(text.size()));
  };
  const std::string chunks = "WAVEfmt " + size(format) + format + "data" + size(data) + data;
  return "RIFF" + size(chunks) + chunks;
}

}  // namespace subbyte::test
