// Asks a server without a pause, over one client of the C++ library, until standard input ends; then says for each kind
// of call how many there were and how many failed. Part of restart_rounds.py.
//
//   restart_caller ADDRESS TOKEN MODEL
#include <atomic>
#include <cstdint>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "proto/support/mutex.h"

namespace creamery {
namespace {

constexpr int kQuestions = 100;   // of one stream
constexpr int64_t kRows = 20000;  // of one sample: several replies

std::atomic<bool> over{false};
Mutex mu;

// Calls of one kind, one after another.
template <typename Ask>
void Repeat(const std::string& kind, Ask ask) {
  int64_t asked = 0, failed = 0;
  for (; !over.load(); ++asked) {
    const absl::Status status = ask();
    if (status.ok()) continue;
    ++failed;
    MutexLock lock(&mu);
    std::cerr << kind << ": " << status << std::endl;
  }
  MutexLock lock(&mu);
  std::cout << kind << " " << asked << " " << failed << std::endl;
}

absl::Status AskStream(const Model& model, const std::vector<double>& theta, double expected) {
  LogProbStream stream = model.OpenLogProbStream();
  LogProbStream::Reply reply;
  for (uint64_t i = 0; i < kQuestions; ++i) {
    if (absl::Status status = stream.Send(theta, i); !status.ok()) return status;
  }
  for (uint64_t i = 0; i < kQuestions; ++i) {
    if (absl::Status status = stream.Receive(&reply); !status.ok()) return status;
    if (!reply.status.ok()) return reply.status;
    if (reply.id != i || reply.answer.values.at(0) != expected) return absl::DataLossError("another answer");
  }
  return absl::OkStatus();
}

int Main(const std::string& address, const std::string& token, const std::string& name) {
  ClientOptions options;
  options.token = token;
  const absl::StatusOr<Client> client = Client::Connect(address, options);
  if (!client.ok()) return std::cerr << client.status() << "\n", 1;
  const absl::StatusOr<Model> model = client->GetModel(name);
  if (!model.ok()) return std::cerr << model.status() << "\n", 1;
  const std::vector<double> theta(model->parameters().size(), .1);
  const absl::StatusOr<Answer> first = model->LogProb(theta);
  const absl::StatusOr<Draws> draws = model->Sample(kRows, 1);
  if (!first.ok() || !draws.ok()) return std::cerr << first.status() << draws.status() << "\n", 1;
  const double expected = first->values.at(0);

  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    Repeat("c++:log_prob", [&]() -> absl::Status {
      const absl::StatusOr<Answer> answer = model->LogProb(theta);
      if (!answer.ok()) return answer.status();
      return answer->values.at(0) == expected ? absl::OkStatus() : absl::DataLossError("another answer");
    });
  });
  threads.emplace_back([&] { Repeat("c++:stream", [&] { return AskStream(*model, theta, expected); }); });
  threads.emplace_back([&] {
    Repeat("c++:sample", [&]() -> absl::Status {
      const absl::StatusOr<Draws> again = model->Sample(kRows, 1);
      if (!again.ok()) return again.status();
      return again->theta == draws->theta ? absl::OkStatus() : absl::DataLossError("other rows");
    });
  });
  threads.emplace_back([&] { Repeat("c++:get_model", [&] { return client->GetModel(name).status(); }); });
  std::cout << "asking" << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace creamery

int main(int argc, char** argv) {
  if (argc != 4) return std::cerr << "usage: restart_caller ADDRESS TOKEN MODEL\n", 2;
  return creamery::Main(argv[1], argv[2], argv[3]);
}
