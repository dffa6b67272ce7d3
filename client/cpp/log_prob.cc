// Model's questions for log-densities: in one call, over a stream, or of rows without end.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/connection.h"
#include "client/cpp/log_prob_stream_impl.h"
#include "client/cpp/model.h"
#include "client/cpp/points_message.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Questions that wait for their answers while the next rows are made ready.
constexpr int64_t kBlocksUnderWay = 4;

}  // namespace

absl::StatusOr<Answer> Model::LogProb(absl::Span<const double> theta, const std::vector<std::string>& columns,
                                      const LogProbOptions& options) const {
  const int64_t d = NumColumns(columns);
  ABSL_ASSIGN_OR_RETURN(const int64_t n, CountRows("theta", theta, d));
  Answer answer;
  if (n <= RowsPerMessage(kBytesPerQuestion, d)) {
    v1::LogProbStreamRequest request;
    v1::LogProbRequest& question = *request.mutable_question() = MakeLogProbRequest(columns, options);
    question.set_model(version_->name());
    SetPoints(theta, d, question.mutable_theta());
    ABSL_ASSIGN_OR_RETURN(const v1::LogProbResponse response, connection_->lines->Ask(request));
    ABSL_RETURN_IF_ERROR(AppendLogProb(question, response, n, d, &answer));
    return answer;
  }
  const auto source = [theta](absl::Span<double> rows) mutable -> absl::StatusOr<int64_t> {
    const size_t count = std::min(theta.size(), rows.size());
    std::copy_n(theta.begin(), count, rows.begin());
    theta.remove_prefix(count);
    return static_cast<int64_t>(count);
  };
  const auto sink = [&answer](const Answer& part) {
    answer.values.insert(answer.values.end(), part.values.begin(), part.values.end());
    answer.gradient.insert(answer.gradient.end(), part.gradient.begin(), part.gradient.end());
    answer.spread.insert(answer.spread.end(), part.spread.begin(), part.spread.end());
    answer.model_version = part.model_version;
    for (const v1::Warning warning : part.warnings) AddWarning(warning, &answer.warnings);
    return absl::OkStatus();
  };
  ABSL_RETURN_IF_ERROR(LogProbOfRows(source, sink, columns, options));
  return answer;
}

LogProbStream Model::OpenLogProbStream(const std::vector<std::string>& columns, const LogProbOptions& options) const {
  return LogProbStream(std::make_unique<LogProbStream::Impl>(connection_, version_->name(), NumColumns(columns),
                                                             MakeLogProbRequest(columns, options)));
}

absl::Status Model::LogProbOfRows(const RowSource& source, const AnswerSink& sink,
                                  const std::vector<std::string>& columns, const LogProbOptions& options) const {
  const int64_t d = NumColumns(columns);
  LogProbStream stream = OpenLogProbStream(columns, options);
  LogProbStream::Reply reply;
  int64_t row = 0;  // the first one of the oldest question
  const auto receive = [&]() -> absl::Status {
    ABSL_RETURN_IF_ERROR(stream.Receive(&reply));
    if (!reply.status.ok()) {
      return absl::Status(reply.status.code(), absl::StrCat("of the rows from ", row, " on: ", reply.status.message()));
    }
    row += static_cast<int64_t>(reply.answer.values.size());
    return sink(reply.answer);
  };
  std::vector<double> theta(RowsPerMessage(kBytesPerQuestion, d) * d);
  for (;;) {
    ABSL_ASSIGN_OR_RETURN(const int64_t numbers, source(absl::MakeSpan(theta)));
    if (numbers == 0) break;
    if (stream.pending() == kBlocksUnderWay) ABSL_RETURN_IF_ERROR(receive());
    ABSL_RETURN_IF_ERROR(stream.Send(absl::MakeConstSpan(theta).subspan(0, numbers)));
  }
  while (stream.pending() > 0) ABSL_RETURN_IF_ERROR(receive());
  return absl::OkStatus();
}

}  // namespace creamery
