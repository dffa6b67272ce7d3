// `creamery log-prob`: rows go to the server in blocks while others are read and written, in memory that does not grow
// with them.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/cli/ask.h"
#include "client/cpp/cli/column_writer.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

// log_prob, then its spread and its gradient where they were asked for.
std::vector<std::string> NamesOfAnswer(const LogProbOptions& options, const std::vector<std::string>& columns) {
  std::vector<std::string> names = {"log_prob"};
  if (options.spread) names.push_back("spread");
  if (options.gradient) {
    for (const std::string& column : columns) names.push_back(absl::StrCat("d_", column));
  }
  return names;
}

// The same as rows.
void ToRows(const Answer& answer, std::vector<double>* rows) {
  rows->clear();
  const size_t n = answer.values.size();
  const size_t d = n == 0 ? 0 : answer.gradient.size() / n;
  for (size_t row = 0; row < n; ++row) {
    rows->push_back(answer.values[row]);
    if (!answer.spread.empty()) rows->push_back(answer.spread[row]);
    for (size_t i = 0; i < d; ++i) rows->push_back(answer.gradient[row * d + i]);
  }
}

}  // namespace

absl::Status LogProb(const Context& context, const AskArguments& arguments) {
  LogProbOptions options = arguments.log_prob_options;
  options.precision = arguments.precision;
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Model model, client.GetModel(arguments.model));
  if (context.json) {
    ABSL_ASSIGN_OR_RETURN(const Points points, ReadPoints(arguments.points, model.parameters()));
    ABSL_ASSIGN_OR_RETURN(const Answer answer, model.LogProb(points.theta, points.columns, options));
    return PrintNumbers(context, arguments, "log_prob", answer);
  }
  ABSL_ASSIGN_OR_RETURN(const PointRows points, OpenPoints(arguments.points, model.parameters()));
  const std::vector<std::string> names =
      NamesOfAnswer(options, points.columns.empty() ? model.parameters() : points.columns);
  std::unique_ptr<ColumnWriter> writer = ColumnWriter::Plain();
  if (names.size() > 1 || !arguments.out.empty()) {
    ABSL_ASSIGN_OR_RETURN(writer, ColumnWriter::Open(arguments.out, names));
  }
  std::vector<v1::Warning> warnings;
  std::vector<double> rows;
  const auto sink = [&](const Answer& answer) {
    for (const v1::Warning warning : answer.warnings) AddWarning(warning, &warnings);
    ToRows(answer, &rows);
    return writer->Add(rows);
  };
  ABSL_RETURN_IF_ERROR(model.LogProbOfRows(points.source, sink, points.columns, options));
  PrintWarnings(warnings);
  return writer->Close();
}

}  // namespace creamery::cli
