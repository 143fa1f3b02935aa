// Reading one protobuf message field by field. This is the only place that calls protozero, which
// checks wire types by assert and reports damage by exceptions: here both become error values.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace subbyte::wire {

// The field that read_fields() is at. A getter whose wire type is not the one that the file has
// records an error, which read_fields() returns, and leaves its target alone.
class Field {
 public:
  std::uint32_t tag() const;

  void get(std::string_view name, std::string_view& out);
  void get(std::string_view name, std::int64_t& out);
  void get(std::string_view name, float& out);
  void append(std::string_view name, std::vector<std::string_view>& out);
  // Repeated numbers, packed or not.
  void append(std::string_view name, std::vector<std::int64_t>& out);
  void append(std::string_view name, std::vector<float>& out);
  // The same, one call a value, as the 64 bits on the wire.
  void for_each_varint(std::string_view name, const std::function<void(std::uint64_t)>& use);
  // Repeated numbers of 4 or 8 bytes: all bytes of this occurrence, little-endian.
  std::string_view fixed_bytes(std::string_view name, std::size_t width);

  // A nested message, read by read(bytes) -> Expected<T>.
  template <typename T, typename Read>
  void message(std::string_view name, T& out, Read read) {
    std::string_view bytes;
    get(name, bytes);
    if (failed()) return;
    auto result = read(bytes);
    if (!result) {
      fail(within(name, std::move(result.error())).value());
    } else {
      out = std::move(*result);
    }
  }
  template <typename T, typename Read>
  void append_message(std::string_view name, std::vector<T>& out, Read read) {
    std::string_view bytes;
    get(name, bytes);
    if (failed()) return;
    auto result = read(bytes);
    if (!result) {
      fail(within(fmt::format("{} {}", name, out.size()), std::move(result.error())).value());
    } else {
      out.push_back(std::move(*result));
    }
  }

  void fail(Error error) { *error_ = std::move(error); }
  bool failed() const { return !error_->message.empty(); }

 private:
  friend Expected<void> read_fields(std::string_view bytes, std::string_view message,
                                    const std::function<void(Field&)>& visit);
  Field(void* reader, std::string_view message, Error* error)
      : reader_(reader), message_(message), error_(error) {}
  bool expect(std::string_view name, std::uint32_t wire_type, std::string_view allowed);
  void skip();

  void* reader_;  // protozero::pbf_reader, which stays out of this header
  std::string_view message_;
  Error* error_;
  bool consumed_ = false;
};

// Calls visit(field) for each field of the message in file order; a field that visit() does not
// read is skipped, which is how fields of newer ONNX versions are met. `message` is the message's
// name for errors.
Expected<void> read_fields(std::string_view bytes, std::string_view message,
                           const std::function<void(Field&)>& visit);

}  // namespace subbyte::wire
