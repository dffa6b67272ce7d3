#include "proto/support/safetensors.h"

#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string File(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

Safetensors Example() {
  Safetensors file;
  file.Add("theta", {2, 2}, std::vector<double>{1, 2, 3, 4});
  file.Add("weight", {2}, std::vector<float>{.5f, 1});
  file.Add("chain", {2}, std::vector<int64_t>{7, 8});
  file.SetMetadata("format", "test \"quoted\"");
  return file;
}

TEST(SafetensorsTest, WhatIsWrittenIsRead) {
  ASSERT_OK_AND_ASSIGN(const Safetensors file, Safetensors::Parse(Example().Serialize()));
  EXPECT_THAT(file.names(), ElementsAre("chain", "theta", "weight"));
  EXPECT_THAT(*file.Doubles("theta", {-1, 2}), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(*file.Doubles("weight", {2}), ElementsAre(.5, 1));
  EXPECT_THAT(*file.Int64s("chain", {2}), ElementsAre(7, 8));
  EXPECT_THAT(*file.Shape("theta"), ElementsAre(2, 2));
  EXPECT_EQ(file.metadata().at("format"), "test \"quoted\"");
  EXPECT_EQ(file.Serialize(), Example().Serialize());
}

TEST(SafetensorsTest, LookUpsSayWhatIsMissing) {
  const Safetensors file = Example();
  EXPECT_THAT(file.Doubles("x", {1}), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("tensor 'x' is missing")));
  EXPECT_THAT(file.Doubles("chain", {2}), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("INT64")));
  EXPECT_THAT(file.Doubles("theta", {2, 3}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("(2, 2), expected (2, 3)")));
  EXPECT_THAT(file.Int64s("weight", {2}), HasCode(absl::StatusCode::kDataLoss));
}

TEST(SafetensorsTest, TheStreamingHeaderEqualsTheWholeFile) {
  SafetensorsHeader header;
  header.tensors["a"].dtype = v1::FLOAT64;
  header.tensors["a"].shape = {3};
  const std::string head = MakeSafetensorsHeader(header);
  EXPECT_EQ(header.tensors["a"].begin, head.size());
  EXPECT_EQ(header.tensors["a"].end, head.size() + 24);
  EXPECT_EQ(head.size() % 8, 0u);
  ASSERT_OK_AND_ASSIGN(const SafetensorsHeader read, ParseSafetensorsHeader(head, head.size() + 24));
  EXPECT_EQ(read.tensors.at("a").begin, head.size());
}

struct BadFile {
  const char* name;
  std::string bytes;
  const char* message;
};

class BadSafetensorsTest : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadSafetensorsTest, IsDataLossThatSaysWhy) {
  EXPECT_THAT(Safetensors::Parse(GetParam().bytes),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr(GetParam().message)));
}

std::string OneTensor(const std::string& dtype, const std::string& shape, const std::string& offsets, int size) {
  return File(absl::StrCat("{\"a\":{\"dtype\":\"", dtype, "\",\"shape\":", shape, ",\"data_offsets\":", offsets, "}}"),
              std::string(size, '\0'));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadSafetensorsTest,
    ::testing::Values(
        BadFile{"Empty", "", "too short"}, BadFile{"NoHeader", "1234567", "too short"},
        BadFile{"LongHeader", std::string("\0\0\0\1\1\0\0\0{}", 10), "the limit is"},
        BadFile{"CutHeader", File("{}", "").substr(0, 9), "cut"}, BadFile{"NoObject", File("[1]", ""), "begin with"},
        BadFile{"NoJson", File("{\"a\":", ""), "not JSON"}, BadFile{"AfterJson", File("{}x", ""), "not JSON"},
        BadFile{"UnknownType", OneTensor("BF16", "[1]", "[0,2]", 2), "'BF16'"},
        BadFile{"NegativeAxis", OneTensor("U8", "[-1]", "[0,1]", 1), "-1"},
        BadFile{"FractionalAxis", OneTensor("U8", "[1.0]", "[0,1]", 1), "1.0"},
        BadFile{"HugeAxis", OneTensor("U8", "[18446744073709551615]", "[0,1]", 1), "18446744073709551615"},
        BadFile{"SizeMismatch", OneTensor("F32", "[2]", "[0,4]", 4), "has 8 bytes"},
        BadFile{"SizeOverflow", OneTensor("F64", "[4611686018427387904,4]", "[0,8]", 8), "overflows"},
        BadFile{"OffsetOverflow", OneTensor("U8", "[1]", "[18446744073709551615,0]", 1), "overflow"},
        BadFile{"EndBeforeBegin", OneTensor("U8", "[1]", "[1,0]", 1), "lies at"},
        BadFile{"BeyondTheEnd", OneTensor("U8", "[2]", "[0,2]", 1), "ends at byte"},
        BadFile{"TrailingBytes", OneTensor("U8", "[1]", "[0,1]", 2), "of a file of"},
        BadFile{"HoleAtStart", OneTensor("U8", "[1]", "[1,2]", 2), "a hole"},
        BadFile{"ThreeOffsets", OneTensor("U8", "[1]", "[0,1,2]", 1), "cannot be"},
        BadFile{"OneOffset", OneTensor("U8", "[1]", "[0]", 1), "lacks"},
        BadFile{"NestedArray", OneTensor("U8", "[[1]]", "[0,1]", 1), "an array"},
        BadFile{"DuplicateTensor",
                File("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                     "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                     "x"),
                "two entries are named 'a'"},
        BadFile{"DuplicateKey",
                File("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", "x"),
                "two keys 'dtype'"},
        BadFile{"UnknownKey",
                File("{\"a\":{\"dtype\":\"U8\",\"path\":\"/etc\",\"shape\":[1],\"data_offsets\":[0,1]}}", "x"),
                "unknown key 'path'"},
        BadFile{"Overlap",
                File("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                     "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
                     "xxx"),
                "an overlap"},
        BadFile{"MetadataNumber", File("{\"__metadata__\":{\"a\":1}}", ""), "number 1"}),
    [](const auto& info) { return std::string(info.param.name); });

// Whatever the damage, the answer is a file or DATA_LOSS: no crash, no other code, no tensor beyond the bytes.
TEST(SafetensorsTest, RandomDamageIsRefusedOrHarmless) {
  const std::string good = Example().Serialize();
  std::mt19937 random(1);
  int refused = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    std::string bytes = good;
    for (uint32_t edits = 1 + random() % 4; edits > 0 && !bytes.empty(); --edits) {
      const size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, 1 + random() % 4);
          break;
        case 2:
          bytes.insert(at, 1, "0123456789[]{},:\""[random() % 17]);
          break;
        default:
          bytes.resize(at + 1);
          break;
      }
    }
    const absl::StatusOr<Safetensors> file = Safetensors::Parse(bytes);
    if (file.ok()) continue;
    ++refused;
    ASSERT_THAT(file, HasCode(absl::StatusCode::kDataLoss));
  }
  EXPECT_GT(refused, 10000);
}

}  // namespace
}  // namespace creamery
