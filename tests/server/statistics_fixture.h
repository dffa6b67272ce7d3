// A server with models whose statistics have closed forms, its StatisticsService and JobService.
#ifndef CREAMERY_TESTS_SERVER_STATISTICS_FIXTURE_H_
#define CREAMERY_TESTS_SERVER_STATISTICS_FIXTURE_H_

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "creamery/v1/job_service.grpc.pb.h"
#include "creamery/v1/statistics_service.grpc.pb.h"
#include "models/random.h"
#include "proto/support/array.h"
#include "proto/support/rows.h"
#include "storage/parts.h"
#include "tests/server/gaussian_models.h"
#include "tests/server/test_server.h"

namespace creamery {

class StatisticsFixture : public TestServer {
 protected:
  void StartWithProject() {
    StartServer();
    ConnectStatistics();
    ASSERT_THAT(CreateProject("planck"), IsOk());
  }
  void ConnectStatistics() {
    statistics_ = v1::StatisticsService::NewStub(channel_);
    jobs_ = v1::JobService::NewStub(channel_);
  }
  void RestartServer() {
    server_.reset();
    StartServer();
    ConnectStatistics();
  }

  // projects/planck/models/`id`.
  static std::string Name(const std::string& id) { return "projects/planck/models/" + id; }
  void ImportGaussian(const std::string& id, const std::vector<GaussianColumn>& columns) {
    ASSERT_THAT(Import(Name(id), GaussianArtifact(columns)), IsOk());
  }

  // Two analyses of `a` that agree, each with a parameter of its own: log R and the joint posterior have closed forms.
  void ImportPair() {
    ImportGaussian("first", {{"a", 0.5, 0.6, 2}, {"b", 0, 1, 3}});
    ImportGaussian("second", {{"c", 1, 2, 5}, {"a", 1, 0.8, 2}});
  }
  // Many more analyses of `a`: a question to all of them, for a million samples, takes many seconds on any machine.
  static constexpr int kCrowd = 250;
  void ImportCrowd() {
    ImportPair();
    for (int i = 0; i < kCrowd; ++i) ImportGaussian(absl::StrCat("object", i), {{"a", 0.5 + 0.001 * i, 0.9, 2}});
  }
  static v1::JointPosteriorRequest AskCrowd() {
    v1::JointPosteriorRequest request = AskPair(1000000);
    for (int i = 0; i < kCrowd; ++i) request.add_models(Name(absl::StrCat("object", i)));
    request.set_max_evaluations(int64_t{1} << 40);
    return request;
  }
  // log of the integral of N(0.5, 0.6) N(1, 0.8) / N(0, 2) over a.
  static double PairLogR() {
    const double p1 = 1 / 0.36;
    const double p2 = 1 / 0.64;
    const double p0 = -1 / 4.0;
    const double precision = p1 + p2 + p0;
    const double linear = p1 * 0.5 + p2 * 1;
    const double constant = p1 * 0.25 + p2 * 1;
    return -std::log(0.6) - std::log(0.8) + std::log(2) - 0.5 * std::log(precision) +
           0.5 * (linear * linear / precision - constant);
  }
  static double PairMean() { return (0.5 / 0.36 + 1 / 0.64) / (1 / 0.36 + 1 / 0.64 - 0.25); }

  // projects/planck/datasets/`id`: n draws of x ~ N(0, 1), with log L = -x^2 / 2 unless `likelihood` is off, and the
  // model `id` of them under U(-10, 10): Z = sqrt(2 pi) / 20.
  void MakeChain(const std::string& id, int64_t n, bool likelihood = true) {
    v1::Dataset schema;
    schema.set_row_kind(v1::INDEPENDENT);
    schema.set_has_log_likelihood(likelihood);
    v1::Parameter& x = *schema.add_parameters();
    x.set_name("x");
    x.mutable_prior()->mutable_uniform()->set_lower(-10);
    x.mutable_prior()->mutable_uniform()->set_upper(10);
    RowBlock rows;
    rows.num_rows = n;
    const RandomStream random(7, RandomPurpose::kSample);
    for (int64_t i = 0; i < n; ++i) {
      rows.theta.push_back(random.Normal(i));
      if (likelihood) rows.log_likelihood.push_back(-0.5 * rows.theta.back() * rows.theta.back());
    }
    Registry& registry = server_->registry();
    const Caller caller{"ada", "", "", absl::Now()};
    ASSERT_THAT(registry.CreateDataset(caller, {"planck", id}, schema), IsOk());
    ASSERT_OK_AND_ASSIGN(const auto writer, PartWriter::Create(registry.blobs(), schema, n));
    ASSERT_THAT(writer->Append(MakeRows(schema, rows, 0, n)), IsOk());
    ASSERT_OK_AND_ASSIGN(const auto part, writer->Commit());
    ASSERT_OK_AND_ASSIGN(const v1::Dataset dataset, registry.AppendPart(caller, {"planck", id}, {part.digest, n}, -1));
    v1::ModelVersion version = GaussianDescription({{"x", 0, 1, 0}});
    *version.mutable_signature()->mutable_parameters(0) = x;
    version.mutable_training()->set_dataset(dataset.name());
    version.mutable_training()->set_dataset_revision(dataset.revision());
    version.mutable_training()->set_dataset_digest(dataset.digest());
    version.mutable_training()->set_num_rows(n);
    ASSERT_THAT(Import(Name(id), GaussianArtifact({{"x", 0, 1, 0}}, version)), IsOk());
  }
  static double ChainLogZ() { return 0.5 * std::log(2 * M_PI) - std::log(20); }

  absl::StatusOr<v1::MarginalKLResponse> MarginalKL(const v1::MarginalKLRequest& request) {
    grpc::ClientContext context;
    v1::MarginalKLResponse response;
    const absl::Status status = FromGrpc(statistics_->MarginalKL(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }
  absl::StatusOr<v1::EvidenceResponse> Evidence(const v1::EvidenceRequest& request) {
    grpc::ClientContext context;
    v1::EvidenceResponse response;
    const absl::Status status = FromGrpc(statistics_->Evidence(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }

  // A joint posterior as it arrived.
  struct Joint {
    v1::JointPosteriorResponse head;
    std::vector<double> theta;
    std::vector<double> weight;
    std::vector<double> log_density;
    int messages = 0;
  };
  static void Append(const v1::WeightedSamples& samples, Joint* joint) {
    const std::vector<double> theta = ToDoubles("theta", samples.theta(), {-1, -1}).value();
    joint->theta.insert(joint->theta.end(), theta.begin(), theta.end());
    const std::vector<double> weight = ToDoubles("weight", samples.weight(), {-1}).value();
    joint->weight.insert(joint->weight.end(), weight.begin(), weight.end());
    const std::vector<double> density = ToDoubles("log_density", samples.log_density(), {-1}).value();
    joint->log_density.insert(joint->log_density.end(), density.begin(), density.end());
  }
  absl::StatusOr<Joint> JointPosterior(const v1::JointPosteriorRequest& request,
                                       absl::Duration timeout = absl::InfiniteDuration()) {
    grpc::ClientContext context;
    if (timeout < absl::InfiniteDuration()) context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    const auto reader = statistics_->JointPosterior(&context, request);
    Joint joint;
    v1::JointPosteriorResponse reply;
    while (reader->Read(&reply)) {
      if (joint.messages++ == 0) {
        joint.head = reply;
      } else {
        Append(reply.samples(), &joint);
      }
    }
    const absl::Status status = FromGrpc(reader->Finish());
    if (!status.ok()) return status;
    return joint;
  }
  static v1::JointPosteriorRequest AskPair(int64_t num_samples = 2000) {
    v1::JointPosteriorRequest request;
    request.add_models(Name("first"));
    request.add_models(Name("second"));
    request.set_num_samples(num_samples);
    request.set_seed(5);
    return request;
  }

  absl::StatusOr<v1::Job> CreateJob(const v1::Job& job, const std::string& request_id = "") {
    grpc::ClientContext context;
    v1::CreateJobRequest request;
    request.set_parent("projects/planck");
    *request.mutable_job() = job;
    request.set_request_id(request_id);
    v1::Job created;
    const absl::Status status = FromGrpc(jobs_->CreateJob(&context, request, &created));
    if (!status.ok()) return status;
    return created;
  }
  absl::StatusOr<v1::Job> GetJob(const std::string& name) {
    grpc::ClientContext context;
    v1::GetJobRequest request;
    request.set_name(name);
    v1::Job job;
    const absl::Status status = FromGrpc(jobs_->GetJob(&context, request, &job));
    if (!status.ok()) return status;
    return job;
  }
  // The job once it has ended, or as it is after a minute.
  v1::Job Await(const std::string& name) {
    const absl::Time end = absl::Now() + absl::Seconds(60);
    while (true) {
      v1::Job job = GetJob(name).value();
      if (job.state() >= v1::SUCCEEDED || absl::Now() > end) return job;
      absl::SleepFor(absl::Milliseconds(10));
    }
  }
  absl::StatusOr<Joint> ReadSamples(const std::string& name) {
    grpc::ClientContext context;
    v1::ReadSamplesRequest request;
    request.set_name(name);
    const auto reader = jobs_->ReadSamples(&context, request);
    Joint joint;
    v1::WeightedSamples reply;
    while (reader->Read(&reply)) {
      if (joint.messages++ == 0) *joint.head.mutable_columns() = reply.columns();
      Append(reply, &joint);
    }
    const absl::Status status = FromGrpc(reader->Finish());
    if (!status.ok()) return status;
    return joint;
  }

  std::unique_ptr<v1::StatisticsService::Stub> statistics_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
};

}  // namespace creamery

#endif  // CREAMERY_TESTS_SERVER_STATISTICS_FIXTURE_H_
