#include "proto/support/text_check.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace creamery {
namespace {

constexpr uint32_t kNotUtf8 = 0xffffffff;

// The character at the front of `text`, which is not empty, and its bytes. kNotUtf8 and one byte for anything that is
// not the shortest form of a Unicode scalar value (RFC 3629).
struct Character {
  uint32_t code;
  size_t bytes;
};
Character FirstOf(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t bytes = lead >= 0xf0 && lead < 0xf5   ? 4
                       : lead >= 0xe0 && lead < 0xf0 ? 3
                       : lead >= 0xc2 && lead < 0xe0 ? 2
                                                     : 0;
  if (bytes == 0 || text.size() < bytes) return {kNotUtf8, 1};
  uint32_t code = lead & (0xff >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {kNotUtf8, 1};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {kNotUtf8, 1};
  return {code, bytes};
}

struct Range {
  uint32_t first, last;
  const char* what;
};

// In order. Unicode 15: categories Cc, Zl, Zp, those of Cf and of the default-ignorable characters that show nothing,
// and the code points that are no characters (the last two of each plane are checked apart).
constexpr Range kRefused[] = {
    {0x0000, 0x001f, "a control character"},      {0x007f, 0x009f, "a control character"},
    {0x00ad, 0x00ad, "an invisible character"},   {0x034f, 0x034f, "an invisible character"},
    {0x061c, 0x061c, "a bidirectional control"},  {0x115f, 0x1160, "an invisible character"},
    {0x17b4, 0x17b5, "an invisible character"},   {0x180b, 0x180f, "an invisible character"},
    {0x200b, 0x200d, "an invisible character"},   {0x200e, 0x200f, "a bidirectional control"},
    {0x2028, 0x2029, "a line separator"},         {0x202a, 0x202e, "a bidirectional control"},
    {0x2060, 0x2065, "an invisible character"},   {0x2066, 0x2069, "a bidirectional control"},
    {0x206a, 0x206f, "an invisible character"},   {0x2800, 0x2800, "an invisible character"},
    {0x3164, 0x3164, "an invisible character"},   {0xfdd0, 0xfdef, "no character"},
    {0xfe00, 0xfe0f, "an invisible character"},   {0xfeff, 0xfeff, "a byte-order mark"},
    {0xffa0, 0xffa0, "an invisible character"},   {0xfff0, 0xfffb, "an invisible character"},
    {0x1bca0, 0x1bca3, "an invisible character"}, {0x1d173, 0x1d17a, "an invisible character"},
    {0xe0000, 0xe0fff, "an invisible character"},
};

bool IsSpace(uint32_t code) {
  return code == 0x20 || code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x202f ||
         code == 0x205f || code == 0x3000;
}

// What is wrong with a character in a line, or nullptr.
const char* Refused(uint32_t code) {
  if (code == kNotUtf8) return "not UTF-8";
  if ((code & 0xfffe) == 0xfffe) return "no character";
  const Range* const after = std::upper_bound(std::begin(kRefused), std::end(kRefused), code,
                                              [](uint32_t value, const Range& range) { return value < range.first; });
  if (after == std::begin(kRefused) || code > std::prev(after)->last) return nullptr;
  return std::prev(after)->what;
}

std::string Escaped(absl::string_view bytes, uint32_t code) {
  if (code == kNotUtf8) return absl::StrFormat("\\x%02x", static_cast<uint8_t>(bytes[0]));
  return absl::StrFormat("\\u{%x}", code);
}

// The longest beginning of at most `most` bytes that ends at the end of a character.
absl::string_view Beginning(absl::string_view text, size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<uint8_t>(text[most]) & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

}  // namespace

absl::Status CheckText(absl::string_view what, absl::string_view text, TextKind kind) {
  size_t position = 0;
  for (absl::string_view rest = text; !rest.empty();) {
    const Character character = FirstOf(rest);
    ++position;
    const char* refused = Refused(character.code);
    const bool line_end = character.code == '\n' || (character.code == '\r' && rest.substr(1, 1) == "\n");
    if (kind == TextKind::kParagraphs && (character.code == '\t' || line_end)) refused = nullptr;
    if (kind == TextKind::kWord && IsSpace(character.code)) refused = "white space";
    if (refused != nullptr) {
      const std::string shown =
          character.code == kNotUtf8 ? Escaped(rest, kNotUtf8) : absl::StrFormat("U+%04X", character.code);
      return absl::InvalidArgumentError(
          absl::StrCat(what, " is '", Shown(text), "', whose character ", position, ", ", shown, ", is ", refused,
                       kind == TextKind::kWord ? ": expected UTF-8 without white space, control or invisible characters"
                                               : ": expected UTF-8 without control or invisible characters"));
    }
    rest.remove_prefix(character.bytes);
  }
  return absl::OkStatus();
}

std::string Shown(absl::string_view text, size_t most) {
  std::string shown;
  for (absl::string_view rest = text; !rest.empty();) {
    const Character character = FirstOf(rest);
    const std::string next = Refused(character.code) == nullptr ? std::string(rest.substr(0, character.bytes))
                                                                : Escaped(rest, character.code);
    if (shown.size() + next.size() > most) return absl::StrCat(shown, "... (", text.size(), " bytes)");
    shown += next;
    rest.remove_prefix(character.bytes);
  }
  return shown;
}

std::string ShortMessage(absl::string_view given, size_t most) {
  std::string message;
  for (absl::string_view rest = given; !rest.empty();) {
    const Character character = FirstOf(rest);
    const bool shown = character.code == '\n' || Refused(character.code) == nullptr;
    absl::StrAppend(&message, shown ? std::string(rest.substr(0, character.bytes)) : Escaped(rest, character.code));
    rest.remove_prefix(character.bytes);
  }
  if (message.size() <= most) return message;
  constexpr absl::string_view kLeftOut = " ... ";
  const size_t end = most / 4;
  const absl::string_view head = Beginning(message, most - end - kLeftOut.size());
  size_t tail = message.size() - end;
  while (tail < message.size() && (static_cast<uint8_t>(message[tail]) & 0xc0) == 0x80) ++tail;
  return absl::StrCat(head, kLeftOut, absl::string_view(message).substr(tail));
}

}  // namespace creamery
