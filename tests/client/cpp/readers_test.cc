#include "client/cpp/readers/readers.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "client/cpp/readers/row_reader.h"
#include "client/cpp/readers/table.h"
#include "proto/support/safetensors.h"
#include "tests/status_matchers.h"
#include "tests/support/scratch_directory.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::vector<std::string> NamesOf(const Table& table) {
  std::vector<std::string> names;
  for (const TableColumn& column : table.columns) names.push_back(column.name);
  return names;
}

template <typename T>
std::string Npy(const std::string& type, const std::string& shape, const std::vector<T>& values,
                const std::string& fortran_order = "False") {
  std::string header = "{'descr': '" + type + "', 'fortran_order': " + fortran_order + ", 'shape': " + shape + ", }";
  header += std::string(63 - (10 + header.size()) % 64, ' ') + "\n";
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return bytes;
}

TEST(CsvReaderTest, TheFirstLineNamesTheColumns) {
  ScratchDirectory folder;
  ASSERT_OK_AND_ASSIGN(const Table table, ReadTable(folder.Write("a.csv", "a, \"b\",w\r\n1,2.5,1\n\n-3,4e-2,2\n")));
  EXPECT_THAT(NamesOf(table), ElementsAre("a", "b", "w"));
  EXPECT_EQ(table.num_rows, 2);
  EXPECT_THAT(table.columns[0].values, ElementsAre(1, -3));
  EXPECT_THAT(table.columns[1].values, ElementsAre(2.5, .04));
}

TEST(CsvReaderTest, NumbersAloneHaveNoNames) {
  ScratchDirectory folder;
  ASSERT_OK_AND_ASSIGN(const Table table, ReadTable(folder.Write("a.csv", "1,2\n3,4\n")));
  EXPECT_FALSE(table.named);
  EXPECT_THAT(table.columns[1].values, ElementsAre(2, 4));
}

TEST(CsvReaderTest, NamesBehindAHashAreNames) {
  ScratchDirectory folder;
  ASSERT_OK_AND_ASSIGN(const Table table, ReadTable(folder.Write("a.csv", "# a,b\n1,2\n")));
  EXPECT_THAT(NamesOf(table), ElementsAre("a", "b"));
}

TEST(CsvReaderTest, ErrorsNameTheLine) {
  ScratchDirectory folder;
  EXPECT_THAT(ReadTable(folder.Write("a.csv", "a,b\n1,2\n3,x7\n")),
              StatusIs(kInvalid, AllOf(HasSubstr("line 3, column 2"), HasSubstr("'x7' is not a number"))));
  EXPECT_THAT(ReadTable(folder.Write("b.csv", "a,b\n1,2\n3\n")),
              StatusIs(kInvalid, HasSubstr("line 3: 1 columns, expected 2 as in line 2")));
  EXPECT_THAT(ReadTable(folder.Write("c.csv", "a,b,c\n1,2\n")),
              StatusIs(kInvalid, HasSubstr("line 1: 3 names for rows of 2 columns")));
  EXPECT_THAT(ReadTable(folder.Write("d.csv", "a,b\n")), StatusIs(kInvalid, HasSubstr("no rows")));
  EXPECT_THAT(ReadTable(folder.Write("e.csv", "")), StatusIs(kInvalid, HasSubstr("no rows")));
  EXPECT_THAT(ReadTable(folder / "missing.csv"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("missing.csv' does not exist")));
}

TEST(NpyReaderTest, ReadsTypesAndOrders) {
  ScratchDirectory folder;
  ASSERT_OK_AND_ASSIGN(const Table c, ReadTable(folder.Write("a.npy", Npy<double>("<f8", "(2, 2)", {1, 2, 3, 4}))));
  EXPECT_FALSE(c.named);
  EXPECT_THAT(c.columns[0].values, ElementsAre(1, 3));
  ASSERT_OK_AND_ASSIGN(const Table fortran,
                       ReadTable(folder.Write("b.npy", Npy<float>("<f4", "(2, 2)", {1, 2, 3, 4}, "True"))));
  EXPECT_THAT(fortran.columns[0].values, ElementsAre(1, 2));
  ASSERT_OK_AND_ASSIGN(const Table one, ReadTable(folder.Write("c.npy", Npy<int64_t>("<i8", "(3,)", {5, 6, 7}))));
  EXPECT_EQ(one.columns.size(), 1u);
  EXPECT_THAT(one.columns[0].values, ElementsAre(5, 6, 7));
}

TEST(NpyReaderTest, MalformedFilesAreRefused) {
  ScratchDirectory folder;
  const std::string good = Npy<double>("<f8", "(2, 2)", {1, 2, 3, 4});
  EXPECT_THAT(ReadTable(folder.Write("a.npy", "PK\x03\x04 not numpy at all")),
              StatusIs(kInvalid, HasSubstr("is not a .npy file")));
  EXPECT_THAT(ReadTable(folder.Write("b.npy", good.substr(0, good.size() - 1))),
              StatusIs(kInvalid, HasSubstr("announces shape (2, 2)")));
  EXPECT_THAT(ReadTable(folder.Write("c.npy", good.substr(0, 40))),
              StatusIs(kInvalid, HasSubstr("ends within its .npy header")));
  EXPECT_THAT(ReadTable(folder.Write("d.npy", Npy<double>("<c16", "(1, 1)", {1, 2}))),
              StatusIs(kInvalid, HasSubstr("'<c16'")));
  EXPECT_THAT(ReadTable(folder.Write("e.npy", Npy<double>("<f8", "(1, 1, 1)", {1}))),
              StatusIs(kInvalid, HasSubstr("3 axes")));
  EXPECT_THAT(ReadTable(folder.Write("f.npy", Npy<double>("<f8", "(4611686018427387904, 4)", {1, 2, 3, 4}))),
              StatusIs(kInvalid, HasSubstr("announces shape")));
  EXPECT_THAT(ReadTable(folder.Write("g.npy", Npy<double>("<f8", "(0, 2)", {}))),
              StatusIs(kInvalid, HasSubstr("empty")));
  EXPECT_THAT(ReadTable(folder.Write("h.npy", Npy<double>("<f8", "(-1, 2)", {1, 2}))),
              StatusIs(kInvalid, HasSubstr("cannot be read")));
  EXPECT_THAT(ReadTable(folder.Write("i.npy", Npy<double>("<f8", "(1, 2)", {1, 2}, "Perhaps"))),
              StatusIs(kInvalid, HasSubstr("cannot be read")));
  // As much as the header of this version holds: no pattern that calls itself for each character.
  EXPECT_THAT(ReadTable(folder.Write("j.npy", Npy<double>(std::string(60000, 'x'), "(1, 2)", {1, 2}))),
              StatusIs(kInvalid, HasSubstr("xxx")));
}

TEST(RowReaderTest, RowsComeInBlocksOfAnySizeInTheirOrder) {
  ScratchDirectory folder;
  const std::string csv = folder.Write("a.csv", "a,b\n1,10\n\n2,20\n# between\n3,30\n4,40\n5,50");
  const std::string c = folder.Write("c.npy", Npy<double>("<f8", "(5, 2)", {1, 10, 2, 20, 3, 30, 4, 40, 5, 50}));
  const std::string fortran =
      folder.Write("f.npy", Npy<float>("<f4", "(5, 2)", {1, 2, 3, 4, 5, 10, 20, 30, 40, 50}, "True"));
  for (const std::string& path : {csv, c, fortran}) {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RowReader> reader, OpenRows(path));
    EXPECT_EQ(reader->num_columns(), 2);
    std::vector<double> rows;
    EXPECT_EQ(*reader->Read(2, &rows), 2) << path;
    EXPECT_THAT(rows, ElementsAre(1, 10, 2, 20)) << path;
    EXPECT_EQ(*reader->Read(2, &rows), 2);
    EXPECT_THAT(rows, ElementsAre(3, 30, 4, 40)) << path;
    EXPECT_EQ(*reader->Read(2, &rows), 1);
    EXPECT_THAT(rows, ElementsAre(5, 50)) << path;
    EXPECT_EQ(*reader->Read(2, &rows), 0);
  }
}

TEST(RowReaderTest, ALineThatIsWrongShowsWhenItIsReached) {
  ScratchDirectory folder;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RowReader> reader, OpenRows(folder.Write("a.csv", "1,2\n3,4\n5\n")));
  std::vector<double> rows;
  EXPECT_EQ(*reader->Read(2, &rows), 2);
  EXPECT_THAT(reader->Read(2, &rows), StatusIs(kInvalid, HasSubstr("line 3: 1 columns, expected 2 as in line 1")));
}

TEST(RowReaderTest, ColumnsAreFoundByNameAndNamedWhereTheyHaveNone) {
  ScratchDirectory folder;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RowReader> named, OpenRows(folder.Write("a.csv", "a,b,c\n1,2,3\n")));
  EXPECT_THAT(*FindColumns(*named, {"c", "a"}), ElementsAre(2, 0));
  EXPECT_THAT(*FindColumns(*named, {}), ElementsAre(0, 1, 2));
  EXPECT_THAT(FindColumns(*named, {"d"}), StatusIs(kInvalid, HasSubstr("the columns are a, b, c")));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RowReader> unnamed, OpenRows(folder.Write("b.csv", "1,2\n")));
  EXPECT_THAT(*FindColumns(*unnamed, {"x", "y"}), ElementsAre(0, 1));
  EXPECT_THAT(FindColumns(*unnamed, {"x"}), StatusIs(kInvalid, HasSubstr("2 columns without names")));
}

TEST(SafetensorsReaderTest, ThetaAndItsFields) {
  Safetensors file;
  file.Add("theta", {2, 2}, std::vector<double>{1, 2, 3, 4});
  file.Add("weight", {2}, std::vector<double>{.5, 1});
  file.Add("chain", {2}, std::vector<int64_t>{7, 8});
  file.SetMetadata("dataset", R"({"parameters":[{"name":"a"},{"name":"b"}],"row_kind":"MCMC"})");
  ScratchDirectory folder;
  ASSERT_OK_AND_ASSIGN(const Table table, ReadTable(folder.Write("a.safetensors", file.Serialize())));
  EXPECT_THAT(NamesOf(table), ElementsAre("a", "b"));
  EXPECT_THAT(table.weight, ElementsAre(.5, 1));
  EXPECT_THAT(table.chain, ElementsAre(7, 8));
  EXPECT_EQ(table.row_kind, v1::MCMC);
}

TEST(SafetensorsReaderTest, TensorsWithoutThetaAreColumns) {
  Safetensors file;
  file.Add("a", {2}, std::vector<double>{1, 2});
  file.Add("b", {2}, std::vector<float>{3, 4});
  ScratchDirectory folder;
  ASSERT_OK_AND_ASSIGN(const Table table, ReadTable(folder.Write("a.safetensors", file.Serialize())));
  EXPECT_THAT(NamesOf(table), ElementsAre("a", "b"));
  EXPECT_THAT(table.columns[1].values, ElementsAre(3, 4));
}

TEST(SafetensorsReaderTest, MalformedFilesAreRefused) {
  Safetensors file;
  file.Add("theta", {2, 1}, std::vector<double>{1, 2});
  file.Add("weight", {3}, std::vector<double>{1, 2, 3});
  ScratchDirectory folder;
  EXPECT_THAT(ReadTable(folder.Write("a.safetensors", "garbage")), StatusIs(kInvalid, HasSubstr("a.safetensors")));
  EXPECT_THAT(ReadTable(folder.Write("b.safetensors", file.Serialize())), StatusIs(kInvalid, HasSubstr("weight")));
}

TEST(GetDistReaderTest, ReadsAllChainsOfARootAndKeepsApartWhatMayBeThePosterior) {
  ScratchDirectory folder;
  folder.Write("run_1.txt", "2 10 .1 .2\n1 11 .3 .4\n");
  folder.Write("run_2.txt", "3 12 .5 .6\n");
  folder.Write("run_10.txt", "4 13 .7 .8\n");
  folder.Write("run.paramnames", "a\t\\alpha\nb*\t\\beta_x\n");
  for (const std::string given : {"run", "run_1.txt", "run.paramnames"}) {
    ASSERT_OK_AND_ASSIGN(const Table table, ReadTable(folder / given));
    EXPECT_THAT(NamesOf(table), ElementsAre("a", "b"));
    EXPECT_EQ(table.columns[0].label, "\\alpha");
    EXPECT_TRUE(table.columns[1].derived);
    EXPECT_THAT(table.weight, ElementsAre(2, 1, 3, 4));
    EXPECT_THAT(table.log_likelihood, ElementsAre());
    EXPECT_THAT(table.minus_log_like, ElementsAre(10, 11, 12, 13));
    EXPECT_THAT(table.chain, ElementsAre(1, 1, 2, 10));
    EXPECT_EQ(table.row_kind, v1::MCMC);
  }
  ASSERT_OK_AND_ASSIGN(const Table second, ReadTable(folder / "run_2.txt"));
  EXPECT_THAT(second.chain, ElementsAre(2));
}

TEST(GetDistReaderTest, OneFileHasNoChainIds) {
  ScratchDirectory folder;
  folder.Write("single.txt", "# weight -logL a\n2 10 .1\n");
  ASSERT_OK_AND_ASSIGN(const Table table, ReadTable(folder / "single.txt"));
  EXPECT_TRUE(table.chain.empty());
  EXPECT_THAT(NamesOf(table), ElementsAre("a"));
  EXPECT_THAT(table.log_likelihood, ElementsAre(-10));
}

TEST(GetDistReaderTest, MalformedFilesAreRefused) {
  ScratchDirectory folder;
  folder.Write("a_1.txt", "1 2 3\n");
  folder.Write("a_2.txt", "1 2 3 4\n");
  EXPECT_THAT(ReadTable(folder / "a"), StatusIs(kInvalid, HasSubstr("a_2.txt has 2 parameters")));
  EXPECT_THAT(ReadTable(folder.Write("b.txt", "1 2 3\n1 two 3\n")), StatusIs(kInvalid, HasSubstr("line 2, column 2")));
  EXPECT_THAT(ReadTable(folder.Write("c.txt", "1 2\n")), StatusIs(kInvalid, HasSubstr("expected weight")));
  folder.Write("d.txt", "1 2 3\n");
  folder.Write("d.paramnames", "a\nb\n");
  EXPECT_THAT(ReadTable(folder / "d.txt"), StatusIs(kInvalid, HasSubstr("names 2 parameters, expected 1")));
  EXPECT_THAT(ReadTable(folder / "nothing"), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(ReadTable(folder / "chain.h5"), StatusIs(kInvalid, HasSubstr(".h5 are not read")));
}

TEST(PolyChordReaderTest, DeadAndLivePointsWithBirths) {
  ScratchDirectory folder;
  folder.Write("r.paramnames", "a A\n");
  folder.Write("r_phys_live-birth.txt", ".3 5 4\n");
  const std::string path = folder.Write("r_dead-birth.txt", ".1 -1e30 -inf\n.2 2 -.1000000E+31\n");
  ASSERT_OK_AND_ASSIGN(const Table table, ReadTable(path));
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THAT(table.columns[0].values, ElementsAre(.1, .2, .3));
  EXPECT_THAT(table.log_likelihood, ElementsAre(-infinity, 2, 5));
  EXPECT_THAT(table.log_likelihood_birth, ElementsAre(-infinity, -infinity, 4));
  EXPECT_EQ(table.row_kind, v1::NESTED_SAMPLING);
  EXPECT_THAT(table.notes.at(0), HasSubstr("2 dead points, and 1 live points"));
}

TEST(PolyChordReaderTest, SaysWhenLivePointsAreMissing) {
  ScratchDirectory folder;
  ASSERT_OK_AND_ASSIGN(const Table table, ReadTable(folder.Write("r_dead-birth.txt", ".1 1 0\n")));
  EXPECT_THAT(table.notes.at(0), HasSubstr("there is no"));
}

TEST(RealDataTest, PlanckChainsKeepTheirIdsAndNames) {
  const std::string root = CREAMERY_SHARED_DATA "/planck_montepython/2019-01-24_200000_";
  if (!std::filesystem::exists(root + ".paramnames")) GTEST_SKIP() << "no shared data at " << root;
  for (const std::string& given : {root, root + "_1.txt"}) {
    ASSERT_OK_AND_ASSIGN(const Table table, ReadTable(given));
    ASSERT_EQ(table.columns.size(), 26u);
    EXPECT_EQ(table.columns[4].name, "n_s");
    EXPECT_EQ(table.columns[5].label, "\\tau_{reio }");
    EXPECT_EQ(table.num_rows, static_cast<int64_t>(table.chain.size()));
    EXPECT_EQ(table.chain.front(), 1);
    EXPECT_EQ(table.chain.back(), 2);
    EXPECT_EQ(table.weight.front(), 6);
    EXPECT_EQ(table.log_likelihood.front(), -6681.65);
    EXPECT_EQ(table.columns[0].values.front(), 2.189349);
  }
}

TEST(RealDataTest, PolyChordBoxReadsLivePointsToo) {
  const std::string path = CREAMERY_SHARED_DATA "/polychord_box/pc_dead-birth.txt";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no shared data at " << path;
  ASSERT_OK_AND_ASSIGN(const Table table, ReadTable(path));
  EXPECT_EQ(table.num_rows, 1375 + 125);
  EXPECT_EQ(NamesOf(table).front(), "x0");
  EXPECT_EQ(table.log_likelihood_birth.front(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(table.log_likelihood_birth.back(), 4.86034572826373);
  // anesthetic's log Z with mean volumes; the error of 125 live points at D_KL 5.9 is sqrt(5.9/125) = .22.
  ASSERT_TRUE(table.log_evidence.has_value());
  EXPECT_NEAR(table.log_evidence->value(), -2.4965, 1e-3);
  EXPECT_NEAR(table.log_evidence->error(), .22, .03);
}

}  // namespace
}  // namespace creamery
