#include "proto/support/text_check.h"

#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(CheckTextTest, TextOfEveryScriptIsTaken) {
  for (const char* text : {"", "omega_m", "km s^-1 Mpc^-1", "\u03a9\u2098", "H\u2080 \u00b1 \u00b5m \u00c5",
                           "\u0645\u062b\u0627\u0644", "\u6c34", "\U0001d6fc", "$\\Omega_m h^2$"}) {
    EXPECT_THAT(CheckText("the label", text), IsOk()) << text;
  }
}

TEST(CheckTextTest, WhatShowsAsSomethingElseOrNothingIsNamedWithItsPlace) {
  const struct {
    std::string text;
    const char* code;
  } cases[] = {{"ab\x1b[31m", "3, U+001B"}, {"\u00e9\x7f", "2, U+007F"},
               {"a\u0080", "U+0080"},       {"a\u009b", "U+009B"},
               {"a\u202e", "2, U+202E"},    {"\u202a", "1, U+202A"},
               {"\u2066", "U+2066"},        {"\u2069", "U+2069"},
               {"\u200e", "U+200E"},        {"\u200f", "U+200F"},
               {"\u061c", "U+061C"},        {"a\u200bb", "2, U+200B"},
               {"\ufeffname", "U+FEFF"},    {"a\u2028", "U+2028"},
               {"\u2029", "U+2029"},        {"\u00ad", "U+00AD"},
               {"\U000e0041", "U+E0041"},   {"\ufe0f", "U+FE0F"},
               {"\u3164", "U+3164"},        {"\uffff", "U+FFFF"},
               {"a\nb", "2, U+000A"},       {std::string("a\0b", 3), "2, U+0000"}};
  for (const auto& bad : cases) {
    EXPECT_THAT(
        CheckText("the unit of 'h'", bad.text),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 AllOf(HasSubstr("the unit of 'h'"), HasSubstr(std::string("character ")), HasSubstr(bad.code))))
        << bad.code;
  }
}

TEST(CheckTextTest, WhatIsNotUtf8IsNamedByItsByte) {
  for (const std::string text : {"h\xe9", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"}) {
    EXPECT_THAT(CheckText("the name", text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is not UTF-8")));
  }
  EXPECT_THAT(CheckText("the name", "h\xe9"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2, \\xe9")));
}

TEST(CheckTextTest, DescriptionsHaveLinesAndNamesHaveNoSpace) {
  EXPECT_THAT(CheckText("the description", "two\r\nlines\n\tand a tab", TextKind::kParagraphs), IsOk());
  EXPECT_THAT(CheckText("the description", "over\rwritten", TextKind::kParagraphs),
              HasCode(absl::StatusCode::kInvalidArgument));
  for (const char* name : {"a b", "a\u00a0b", "a\u2003b", "\u3000"}) {
    EXPECT_THAT(CheckText("the name", name, TextKind::kWord),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("white space")));
  }
}

TEST(ShownTest, IsShortAndHarmless) {
  EXPECT_EQ(Shown("omega_m"), "omega_m");
  EXPECT_EQ(Shown("a\x1b[2J\u202e\xff\n"), "a\\u{1b}[2J\\u{202e}\\xff\\u{a}");
  EXPECT_EQ(Shown(std::string(7000, 'n'), 10), "nnnnnnnnnn... (7000 bytes)");
  EXPECT_EQ(Shown("\u00e9\u00e9\u00e9", 5), "\u00e9\u00e9... (6 bytes)");
  EXPECT_LT(Shown(std::string(7000, '\x01')).size(), 130u);
}

TEST(ShortMessageTest, KeepsBeginningAndEnd) {
  EXPECT_EQ(ShortMessage("short", 10), "short");
  EXPECT_EQ(ShortMessage("a\x1b\nb", 100), "a\\u{1b}\nb");
  const std::string message = "name '" + std::string(7000, 'x') + "', expected projects/{project}";
  const std::string cut = ShortMessage(message, 200);
  EXPECT_LE(cut.size(), 200u);
  EXPECT_THAT(cut, AllOf(::testing::StartsWith("name 'xxx"), ::testing::EndsWith("expected projects/{project}")));
  std::string accents;
  for (int i = 0; i < 500; ++i) accents += "\u00e9";
  for (size_t most = 100; most < 110; ++most) EXPECT_THAT(CheckText("cut", ShortMessage(accents, most)), IsOk());
}

}  // namespace
}  // namespace creamery
