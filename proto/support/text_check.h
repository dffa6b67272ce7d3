// Text that people and programs give us to keep and to show: names, units, labels, descriptions. What would show as
// something else than it is, or not at all, is refused where it enters and escaped where it is shown. Thread-safe.
#ifndef CREAMERY_PROTO_SUPPORT_TEXT_CHECK_H_
#define CREAMERY_PROTO_SUPPORT_TEXT_CHECK_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace creamery {

enum class TextKind {
  kWord,        // no white space of any script
  kLine,        // spaces, no ends of lines
  kParagraphs,  // tabs and ends of lines too
};

// INVALID_ARGUMENT naming `what` ("the unit of 'h'"), the character's position, from 1, and its code point, if `text`
// is not UTF-8 or holds a control character (C0, DEL, C1), one that changes the direction of what is around it, another
// that shows nothing (zero-width, filler, tag, variation selector, byte-order mark), a line or paragraph separator, or
// no character at all.
absl::Status CheckText(absl::string_view what, absl::string_view text, TextKind kind = TextKind::kLine);

// `text` as a message may echo it: what CheckText refuses in a line is escaped (`\u{202e}`, bytes that are not UTF-8 as
// `\xff`), and after `most` bytes, at the end of a character, its length is said instead of the rest.
std::string Shown(absl::string_view text, size_t most = 100);

// A whole message of at most `most` bytes, escaped as by Shown but for ends of lines: its middle is left out if it is
// longer, because a message begins with the thing and ends with what was expected.
std::string ShortMessage(absl::string_view message, size_t most);

}  // namespace creamery

#endif  // CREAMERY_PROTO_SUPPORT_TEXT_CHECK_H_
