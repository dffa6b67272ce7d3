#include <cmath>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cpp/readers/readers.h"
#include "client/cpp/readers/row_reader.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int64_t kBlockRows = 4096;

// What the second column of a chain is.
enum class Logarithm {
  kNone,            // there is none, nor weights: a table of parameters
  kMinusLogL,       // MontePython; a header that says so
  kMinusTwoLogL,    // PolyChord, MultiNest
  kMinusPosterior,  // Cobaya, beside chi2 = -2 log L
  kUnsaid,          // GetDist: -log L or -log posterior
};

struct Layout {
  Logarithm logarithm = Logarithm::kUnsaid;
  std::vector<std::string> names;  // of the parameters; empty: the file does not name them
  std::vector<int64_t> places;     // of the parameters among the columns
  int64_t chi2 = -1;               // Cobaya: places of columns, or -1
  int64_t minus_log_prior = -1;
};

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

Logarithm MeaningOf(absl::string_view name) {
  std::string letters;
  for (const char c : name) {
    if (absl::ascii_isalnum(c)) letters += absl::ascii_tolower(c);
  }
  if (letters == "minuslogpost") return Logarithm::kMinusPosterior;
  for (const char* known : {"minusloglike", "minuslogl", "minusloglikelihood", "loglike", "logl", "loglikelihood"}) {
    // '-logL' has lost its sign among the letters; without one it would be log L, which no format has here.
    if (letters == known && (absl::StartsWith(letters, "minus") || absl::StartsWith(name, "-")))
      return Logarithm::kMinusLogL;
  }
  const bool twice = letters == "minus2logl" || letters == "minus2loglike" || letters == "chi2" ||
                     (absl::StartsWith(name, "-2") && (letters == "2logl" || letters == "2loglike"));
  return twice ? Logarithm::kMinusTwoLogL : Logarithm::kUnsaid;
}

// Cobaya adds up priors and likelihoods beside the parameters.
bool IsSum(absl::string_view name) {
  return name == "minuslogprior" || name == "chi2" || absl::StartsWith(name, "minuslogprior__") ||
         absl::StartsWith(name, "chi2__");
}

Layout LayoutOf(const ChainRoot& run, const RowReader& rows) {
  Layout layout;
  const std::vector<std::string>& header = rows.names();
  const bool weighted = header.size() > 1 && absl::EqualsIgnoreCase(header[0], "weight");
  const bool nested = run.sampler == Sampler::kPolyChord || run.sampler == Sampler::kMultiNest;
  int64_t first = 2;
  if (weighted) {
    layout.logarithm = MeaningOf(header[1]);
  } else if (nested) {
    layout.logarithm = Logarithm::kMinusTwoLogL;
  } else if (run.sampler == Sampler::kMontePython) {
    layout.logarithm = Logarithm::kMinusLogL;
  } else if (!header.empty() && !Exists(run.root + ".paramnames")) {
    layout.logarithm = Logarithm::kNone;
    first = 0;
  }
  const bool cobaya = layout.logarithm == Logarithm::kMinusPosterior;
  for (int64_t column = first; column < rows.num_columns(); ++column) {
    const std::string name = weighted || first == 0 ? header[column] : "";
    if (cobaya && IsSum(name)) {
      if (name == "chi2") layout.chi2 = column;
      if (name == "minuslogprior") layout.minus_log_prior = column;
      continue;
    }
    layout.places.push_back(column);
    if (!name.empty()) layout.names.push_back(name);
  }
  return layout;
}

// NaN where the columns do not say it.
double LogLikelihood(const Layout& layout, const double* cells) {
  switch (layout.logarithm) {
    case Logarithm::kMinusLogL:
      return -cells[1];
    case Logarithm::kMinusTwoLogL:
      return -cells[1] / 2;
    case Logarithm::kMinusPosterior:
      return layout.chi2 >= 0 ? -cells[layout.chi2] / 2 : -(cells[1] - cells[layout.minus_log_prior]);
    default:
      return NAN;
  }
}

bool SaysLikelihood(const Layout& layout) {
  if (layout.logarithm == Logarithm::kMinusPosterior) return layout.chi2 >= 0 || layout.minus_log_prior >= 0;
  return layout.logarithm == Logarithm::kMinusLogL || layout.logarithm == Logarithm::kMinusTwoLogL;
}

absl::Status CheckWidth(const ChainFile& file, const Layout& layout, int64_t num_columns, const Table& table) {
  const int64_t d = static_cast<int64_t>(layout.places.size());
  if (d < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path, " has ", num_columns, " columns, expected weight, -log L and parameters"));
  }
  if (table.columns.empty() || d == static_cast<int64_t>(table.columns.size())) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(file.path, " has ", d, " parameters, the chains before have ", table.columns.size()));
}

absl::Status AddChain(const ChainRoot& run, const ChainFile& file, Layout* layout, Table& table) {
  ABSL_ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> reader, OpenText(file.path, ' '));
  const bool first = table.columns.empty();
  Layout own = LayoutOf(run, *reader);
  ABSL_RETURN_IF_ERROR(CheckWidth(file, own, reader->num_columns(), table));
  if (!first && (own.logarithm != layout->logarithm || own.names != layout->names)) {
    return absl::InvalidArgumentError(absl::StrCat(file.path, ": the header differs from that of ",
                                                   run.chains.front().path, ", expected the same columns"));
  }
  *layout = std::move(own);
  table.columns.resize(layout->places.size());
  const int64_t before = table.num_rows;
  std::vector<double> rows;
  for (;;) {
    ABSL_ASSIGN_OR_RETURN(const int64_t count, reader->Read(kBlockRows, &rows));
    if (count == 0) break;
    for (int64_t row = 0; row < count; ++row) {
      const double* cells = rows.data() + row * reader->num_columns();
      if (layout->logarithm != Logarithm::kNone) {
        if (!(cells[0] >= 0)) {
          return absl::InvalidArgumentError(absl::StrCat(file.path, ", row ", table.num_rows - before + row + 1,
                                                         ", column 1: ", cells[0],
                                                         " is no weight; expected weight, -log L and parameters (a "
                                                         "table without weights needs a header of names)"));
        }
        table.weight.push_back(cells[0]);
        if (layout->logarithm == Logarithm::kUnsaid) table.minus_log_like.push_back(cells[1]);
        if (SaysLikelihood(*layout)) table.log_likelihood.push_back(LogLikelihood(*layout, cells));
      }
      for (size_t i = 0; i < layout->places.size(); ++i) table.columns[i].values.push_back(cells[layout->places[i]]);
      if (file.numbered) table.chain.push_back(file.chain);
    }
    table.num_rows += count;
  }
  if (file.numbered) {
    table.notes.push_back(absl::StrCat("chain ", file.chain, ": ", table.num_rows - before, " rows of ", file.path));
  }
  return absl::OkStatus();
}

// `sampler = nested` of GetDist's .properties.ini: rows without order.
absl::StatusOr<bool> IsUncorrelated(const ChainRoot& run) {
  if (run.sampler == Sampler::kPolyChord || run.sampler == Sampler::kMultiNest) return true;
  if (run.sampler == Sampler::kCobaya) return Exists(run.root + ".logZ");
  const std::string path = run.root + ".properties.ini";
  if (!Exists(path)) return false;
  ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> lines, ReadLines(path));
  for (const std::string& line : lines) {
    const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(" \t="), absl::SkipEmpty());
    if (words.size() == 2 && words[0] == "sampler") return words[1] == "nested" || words[1] == "uncorrelated";
  }
  return false;
}

void SayWhatIsLeftOut(const ChainRoot& run, const Layout& layout, Table& table) {
  const std::string call = PythonCall(run.root);
  if (layout.logarithm == Logarithm::kUnsaid) {
    table.notes.push_back(
        "the second column is -log L or -log posterior, these files do not say which: it is left out; if it is "
        "-log L, --keep-likelihood takes it along");
  } else if (layout.logarithm == Logarithm::kMinusPosterior && !SaysLikelihood(layout)) {
    table.notes.push_back(
        "the second column is -log posterior, without chi2 or minuslogprior beside it: it is left out");
  }
  if (run.sampler == Sampler::kCobaya && (Exists(run.root + ".updated.yaml") || Exists(run.root + ".input.yaml"))) {
    table.notes.push_back(
        absl::StrCat("priors, labels and derived parameters in ", run.root,
                     ".updated.yaml are not read: give --prior, or upload with Python, which reads them: ", call));
  }
  if (run.sampler == Sampler::kMontePython) {
    table.notes.push_back(
        absl::StrCat("priors, bounds and derived parameters in log.param are not read: give --prior, or upload with "
                     "Python, which reads them: ",
                     call));
  }
  if (run.sampler == Sampler::kMultiNest && Exists(run.root + "ev.dat") && !Exists(run.root + "dead-birth.txt")) {
    table.notes.push_back(absl::StrCat("dead points in ", run.root, "ev.dat are not read; Python reads them: ", call));
  }
  for (const char* beside : {"_dead-birth.txt", "dead-birth.txt"}) {
    if (!Exists(run.root + beside)) continue;
    table.notes.push_back(absl::StrCat("likelihoods at birth are in ", run.root, beside, ": give that file, or ",
                                       run.root, ", to keep them"));
    return;
  }
}

}  // namespace

absl::StatusOr<Table> ReadChains(const ChainRoot& run) {
  Table table;
  table.row_kind = v1::MCMC;
  table.named = false;
  Layout layout;
  for (const ChainFile& file : run.chains) ABSL_RETURN_IF_ERROR(AddChain(run, file, &layout, table));
  for (size_t i = 0; i < table.columns.size(); ++i) {
    table.columns[i].name = layout.names.empty() ? absl::StrCat("theta", i) : layout.names[i];
  }
  table.named = !layout.names.empty();
  ABSL_ASSIGN_OR_RETURN(const bool uncorrelated, IsUncorrelated(run));
  const bool table_alone = layout.logarithm == Logarithm::kNone && table.chain.empty();
  if (table_alone) table.row_kind = v1::ROW_KIND_UNSPECIFIED;
  if (uncorrelated) {
    table.row_kind = v1::INDEPENDENT;
    table.chain.clear();
  }
  const std::string names = run.root + ".paramnames";
  if (layout.names.empty() && Exists(names)) {
    ABSL_RETURN_IF_ERROR(ReadParamNames(names, table));
  } else if (layout.names.empty()) {
    table.notes.push_back(absl::StrCat("there is no ", names, ": name the columns with --columns"));
  }
  ABSL_RETURN_IF_ERROR(ReadRanges(run.root + ".ranges", table));
  ABSL_RETURN_IF_ERROR(ReadStatedEvidence(run, table));
  SayWhatIsLeftOut(run, layout, table);
  return table;
}

}  // namespace creamery
