#include "server/services/log_prob_stream.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/status_macros.h"
#include "server/services/log_prob_answer.h"

namespace creamery {
namespace {

class LogProbAnswerer final : public StreamAnswerer<v1::LogProbStreamRequest, v1::LogProbStreamResponse> {
 public:
  LogProbAnswerer(ServedModels& models, const Limits& limits, ComputePool& compute)
      : models_(models), limits_(limits), compute_(compute) {}

  Work Place(const v1::LogProbStreamRequest& request) override {
    const v1::LogProbRequest& question = request.question();
    wrong_ = Pin(question);
    if (!wrong_.ok()) return Work::Compute(absl::ZeroDuration());  // the answer is this error
    if (model_.estimator == nullptr) model_.estimator = models_.cache().Peek(model_.version);
    if (model_.estimator == nullptr) return Work::Disk();
    return Work::Compute(EstimatedLogProbCost(question, *model_.estimator));
  }

  void Answer(const v1::LogProbStreamRequest& request, const Call& call, v1::LogProbStreamResponse* reply) override {
    reply->set_id(request.id());
    const absl::Status status = RunGuarded([&] { return AnswerQuestion(request, call.stop, reply->mutable_answer()); });
    model_.estimator.reset();  // a stream without a question holds no model in memory
    if (status.ok()) return;
    reply->mutable_error()->set_code(static_cast<int32_t>(status.code()));
    reply->mutable_error()->set_message(std::string(status.message()));
  }

 private:
  // Finds the version by the first question that names one, and compares the later ones with it.
  absl::Status Pin(const v1::LogProbRequest& question) {
    const std::string& name = question.model();
    if (!model_.version.empty()) {
      if (name.empty() || name == asked_ || name == model_.version) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat("model is '", name, "', and this stream asks ", model_.version,
                                                     ": leave it empty, or open another stream"));
    }
    if (name.empty()) return absl::InvalidArgumentError("model is empty: the first question of a stream names it");
    ABSL_ASSIGN_OR_RETURN(model_, models_.Find(name));
    asked_ = name;
    return absl::OkStatus();
  }

  absl::Status AnswerQuestion(const v1::LogProbStreamRequest& request, const StopToken& stop,
                              v1::LogProbResponse* answer) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    ABSL_RETURN_IF_ERROR(CheckNoUnknownFields(request));
    ABSL_RETURN_IF_ERROR(wrong_);
    if (model_.estimator == nullptr) {
      absl::StatusOr<ServedModel> loaded = models_.Load(model_, stop);
      if (!loaded.ok()) {
        if (!found_) model_ = ServedModel();  // the next question may name one
        return loaded.status();
      }
      model_ = *std::move(loaded);
    }
    found_ = true;
    answer->Clear();
    return AnswerLogProb(request.question(), model_, limits_, compute_, stop, answer);
  }

  ServedModels& models_;
  const Limits limits_;
  ComputePool& compute_;
  std::string asked_;   // as the question that found the version named it
  ServedModel model_;   // empty until then; with the estimator during a question
  bool found_ = false;  // it has been there: no other version answers
  absl::Status wrong_;  // with the model that the present question names
};

}  // namespace

std::unique_ptr<StreamAnswerer<v1::LogProbStreamRequest, v1::LogProbStreamResponse>> MakeLogProbAnswerer(
    ServedModels& models, const Limits& limits, ComputePool& compute) {
  return std::make_unique<LogProbAnswerer>(models, limits, compute);
}

}  // namespace creamery
