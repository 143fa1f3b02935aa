// data_seeds FOLDER: writes a small file of calibration data of each kind, as data_fuzz takes them.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "data/test_files.h"

namespace {

using namespace subbyte::test;

std::string text_of(const Content& content) {
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

// By name; the first byte says the kind.
std::map<std::string, std::string> seeds() {
  const std::string floats = floats_npy("2, 2", {1, 2, 3, 4});
  const std::string ones =
      npy_text("<i8", "2, 2", raw(std::vector<std::int64_t>{1, 0, 1, 1}), true);
  const std::vector<std::uint8_t> pixels(48, 100);
  return {{"npz", '\0' + text_of(zip_of({{"x.npy", floats}, {"m.npy", ones}}))},
          {"npy", '\1' + floats},
          {"png", '\2' + text_of(png_of(4, 4, pixels))},
          {"jpeg", '\3' + text_of(jpeg_of(4, 4, pixels))},
          {"wav", '\4' + wav_text(1, 2, 16, 8000, "12345678")},
          {"wav_floats", '\4' + wav_text(3, 1, 32, 8000, raw(std::vector<float>{0, 1}))},
          {"recipe",
           std::string("\5{\"input\": \"x\", \"size\": [8, 16], \"fit\": \"crop\", \"channels\": "
                       "\"BGR\", \"layout\": \"NCHW\", \"scale\": 0.5, \"mean\": [1, 2, 3], "
                       "\"std\": 2, \"sample_rate\": 8000, \"samples\": 100}")}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "data_seeds FOLDER\n";
    return 2;
  }
  for (const auto& [name, bytes] : seeds())
    std::ofstream(std::filesystem::path(argv[1]) / name, std::ios::binary) << bytes;
  return 0;
}
