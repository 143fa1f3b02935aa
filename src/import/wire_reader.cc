#include "import/wire_reader.h"

#include <bit>
#include <cstring>
#include <protozero/pbf_reader.hpp>

namespace subbyte::wire {

namespace {

using protozero::pbf_wire_type;

protozero::pbf_reader& as_reader(void* reader) {
  return *static_cast<protozero::pbf_reader*>(reader);
}

std::string_view view_of(const protozero::data_view& data) { return {data.data(), data.size()}; }

std::string_view wire_type_name(pbf_wire_type type) {
  switch (type) {
    case pbf_wire_type::varint:
      return "varint";
    case pbf_wire_type::fixed64:
      return "fixed64";
    case pbf_wire_type::length_delimited:
      return "length-delimited";
    case pbf_wire_type::fixed32:
      return "fixed32";
    default:
      return "unknown";
  }
}

// protozero keeps lengths in 32 bits; a longer one must not be cut to its low half.
void check_length(const protozero::pbf_reader& reader) {
  const char* position = reader.data().data();
  const char* end = position + reader.length();
  const std::uint64_t length = protozero::decode_varint(&position, end);
  if (length > static_cast<std::uint64_t>(end - position) || length > UINT32_MAX) {
    throw protozero::end_of_buffer_exception{};
  }
}

std::string_view take_bytes(protozero::pbf_reader& reader) {
  check_length(reader);
  return view_of(reader.get_view());
}

}  // namespace

std::uint32_t Field::tag() const { return as_reader(reader_).tag(); }

bool Field::expect(std::string_view name, std::uint32_t wire_type, std::string_view allowed) {
  const pbf_wire_type found = as_reader(reader_).wire_type();
  if (static_cast<std::uint32_t>(found) == wire_type) {
    consumed_ = true;
    return true;
  }
  fail(Error{fmt::format("field '{}' of {} has the wire type {}, but ONNX defines it as {}", name,
                         message_, wire_type_name(found), allowed)});
  return false;
}

void Field::skip() {
  protozero::pbf_reader& reader = as_reader(reader_);
  if (reader.wire_type() == pbf_wire_type::length_delimited) check_length(reader);
  reader.skip();
}

void Field::get(std::string_view name, std::string_view& out) {
  if (expect(name, static_cast<std::uint32_t>(pbf_wire_type::length_delimited),
             "length-delimited")) {
    out = take_bytes(as_reader(reader_));
  }
}

void Field::get(std::string_view name, std::int64_t& out) {
  if (expect(name, static_cast<std::uint32_t>(pbf_wire_type::varint), "varint")) {
    out = as_reader(reader_).get_int64();
  }
}

void Field::get(std::string_view name, float& out) {
  if (expect(name, static_cast<std::uint32_t>(pbf_wire_type::fixed32), "fixed32")) {
    out = as_reader(reader_).get_float();
  }
}

void Field::append(std::string_view name, std::vector<std::string_view>& out) {
  std::string_view bytes;
  get(name, bytes);
  if (!failed()) out.push_back(bytes);
}

void Field::append(std::string_view name, std::vector<std::int64_t>& out) {
  for_each_varint(name,
                  [&](std::uint64_t value) { out.push_back(static_cast<std::int64_t>(value)); });
}

void Field::append(std::string_view name, std::vector<float>& out) {
  const std::string_view bytes = fixed_bytes(name, sizeof(float));
  static_assert(std::endian::native == std::endian::little);
  const std::size_t first = out.size();
  out.resize(first + bytes.size() / sizeof(float));
  if (!bytes.empty()) std::memcpy(out.data() + first, bytes.data(), bytes.size());
}

void Field::for_each_varint(std::string_view name, const std::function<void(std::uint64_t)>& use) {
  protozero::pbf_reader& reader = as_reader(reader_);
  if (reader.wire_type() == pbf_wire_type::varint) {
    consumed_ = true;
    use(reader.get_uint64());
  } else if (expect(name, static_cast<std::uint32_t>(pbf_wire_type::length_delimited),
                    "varint or length-delimited (packed)")) {
    const std::string_view bytes = take_bytes(reader);
    const char* position = bytes.data();
    const char* end = position + bytes.size();
    while (position != end && !failed()) use(protozero::decode_varint(&position, end));
  }
}

std::string_view Field::fixed_bytes(std::string_view name, std::size_t width) {
  protozero::pbf_reader& reader = as_reader(reader_);
  const pbf_wire_type single = width == 4 ? pbf_wire_type::fixed32 : pbf_wire_type::fixed64;
  if (reader.wire_type() == single) {
    consumed_ = true;
    const std::string_view rest = view_of(reader.data());
    reader.skip();
    return rest.substr(0, width);
  }
  if (!expect(name, static_cast<std::uint32_t>(pbf_wire_type::length_delimited),
              fmt::format("{} or length-delimited (packed)", wire_type_name(single)))) {
    return {};
  }
  const std::string_view bytes = take_bytes(reader);
  if (bytes.size() % width != 0) {
    fail(Error{fmt::format("field '{}' of {} has {} bytes, which is no multiple of {}", name,
                           message_, bytes.size(), width)});
    return {};
  }
  return bytes;
}

Expected<void> read_fields(std::string_view bytes, std::string_view message,
                           const std::function<void(Field&)>& visit) {
  static constexpr std::string_view kAdvice = "the file is damaged or cut off; get a whole copy";
  try {
    protozero::pbf_reader reader(bytes.data(), bytes.size());
    Error error;
    while (reader.next()) {
      Field field(&reader, message, &error);
      visit(field);
      if (!error.message.empty()) return tl::unexpected<Error>(std::move(error));
      if (!field.consumed_) field.skip();
    }
    return {};
  } catch (const protozero::end_of_buffer_exception&) {
    return subbyte::fail("{} ends in the middle of a field: {}", message, kAdvice);
  } catch (const protozero::varint_too_long_exception&) {
    return subbyte::fail("{} holds a number of more than 10 bytes: {}", message, kAdvice);
  } catch (const protozero::invalid_tag_exception&) {
    return subbyte::fail("{} holds a field number that protobuf does not allow: {}", message,
                         kAdvice);
  } catch (const protozero::exception&) {
    return subbyte::fail("{} holds a wire type that protobuf does not have: {}", message, kAdvice);
  }
}

}  // namespace subbyte::wire
