#include "client/cpp/cli/text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace creamery::cli {
namespace {

struct Range {
  uint32_t first, last;
};
// Unicode's categories Cc, Cf, Zl and Zp.
constexpr std::array<Range, 20> kUnprintable = {
    {{0x00, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},
     {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},     {0x180e, 0x180e},
     {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0xfeff, 0xfeff},   {0xfff9, 0xfffb},
     {0x110bd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0001, 0xe007f}}};

bool IsUnprintable(uint32_t code_point) {
  return std::any_of(kUnprintable.begin(), kUnprintable.end(),
                     [=](const Range& range) { return range.first <= code_point && code_point <= range.last; });
}

// Bytes of the code point that `text` begins with; 0 if it is not UTF-8 (RFC 3629).
size_t Decode(absl::string_view text, uint32_t* code_point) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length == 0 || length > text.size()) return 0;
  *code_point = length == 1 ? lead : lead & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    *code_point = *code_point << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && *code_point < 0x800) || (length == 4 && *code_point < 0x10000);
  const bool surrogate = *code_point >= 0xd800 && *code_point < 0xe000;
  return overlong || surrogate || *code_point > 0x10ffff ? 0 : length;
}

void AppendEscape(uint32_t code_point, std::string* text) {
  if (code_point < 0x10000) {
    absl::StrAppend(text, "\\u", absl::Hex(code_point, absl::kZeroPad4));
    return;
  }
  AppendEscape(0xd800 + ((code_point - 0x10000) >> 10), text);  // as JSON writes it: a pair of surrogates
  AppendEscape(0xdc00 + ((code_point - 0x10000) & 0x3ff), text);
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string printable;
  while (!text.empty()) {
    uint32_t code_point = 0;
    const size_t length = Decode(text, &code_point);
    if (length == 0) {
      absl::StrAppend(&printable, "\\x", absl::Hex(static_cast<uint8_t>(text[0]), absl::kZeroPad2));
    } else if (IsUnprintable(code_point)) {
      AppendEscape(code_point, &printable);
    } else {
      printable.append(text.data(), length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return printable;
}

}  // namespace creamery::cli
