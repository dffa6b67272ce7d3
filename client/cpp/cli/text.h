// The one place where the command writes text. Names, units, labels, messages and cells of files come from others: what
// could steer a terminal (control characters, bidirectional and invisible ones) is written as \u001b instead, which
// JSON reads back as the same character.
#ifndef CREAMERY_CLIENT_CPP_CLI_TEXT_H_
#define CREAMERY_CLIENT_CPP_CLI_TEXT_H_

#include <cstdio>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace creamery::cli {

// `text` on one line: control and format characters of Unicode as \uXXXX, bytes that are not UTF-8 as \xXX.
std::string Printable(absl::string_view text);

// What an argument of Out and Err becomes: text is made printable, numbers stay.
inline std::string Safe(absl::string_view text) { return Printable(text); }
template <typename Number, std::enable_if_t<std::is_arithmetic_v<Number>, int> = 0>
Number Safe(Number value) {
  return value;
}
template <typename... Args>
using SafeFormat = absl::FormatSpec<decltype(Safe(std::declval<const Args&>()))...>;

// As printf, on standard output and on standard error; only the format may hold line ends and escapes.
template <typename... Args>
void Out(const SafeFormat<Args...>& format, const Args&... args) {
  absl::FPrintF(stdout, format, Safe(args)...);
}
template <typename... Args>
void Err(const SafeFormat<Args...>& format, const Args&... args) {
  absl::FPrintF(stderr, format, Safe(args)...);
}

}  // namespace creamery::cli

#endif  // CREAMERY_CLIENT_CPP_CLI_TEXT_H_
