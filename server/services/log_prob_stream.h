// The answers of LogProbStream: those of LogProb, from the one version that the first question found.
#ifndef CREAMERY_SERVER_SERVICES_LOG_PROB_STREAM_H_
#define CREAMERY_SERVER_SERVICES_LOG_PROB_STREAM_H_

#include <memory>

#include "creamery/v1/inference_service.pb.h"
#include "server/rpc/bidi_stream.h"
#include "server/rpc/call.h"
#include "server/served_models.h"
#include "server/services/limits.h"

namespace creamery {

// For one stream. Once a question has found its version, no other answers, whatever is published meanwhile; later
// questions name no model, or the same one, or that version. The version is held during each question and not between
// them, so that streams kept open take no memory from other models; once it is deleted, answers are NOT_FOUND.
// `models` and `compute` must outlive it.
std::unique_ptr<StreamAnswerer<v1::LogProbStreamRequest, v1::LogProbStreamResponse>> MakeLogProbAnswerer(
    ServedModels& models, const Limits& limits, ComputePool& compute);

}  // namespace creamery

#endif  // CREAMERY_SERVER_SERVICES_LOG_PROB_STREAM_H_
