// All entries of a paged List method. Internal.
#ifndef CREAMERY_CLIENT_CPP_PAGES_H_
#define CREAMERY_CLIENT_CPP_PAGES_H_

#include <google/protobuf/repeated_field.h>

#include <vector>

#include "absl/status/statusor.h"
#include "client/cpp/connection.h"

namespace creamery {

template <typename Entry, typename Stub, typename Request, typename Response>
absl::StatusOr<std::vector<Entry>> AllPages(
    const Connection& connection, Stub& stub,
    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), Request request,
    const google::protobuf::RepeatedPtrField<Entry>& (Response::*entries)() const) {
  std::vector<Entry> all;
  request.set_page_size(500);
  do {
    absl::StatusOr<Response> page = connection.Call(stub, method, request);
    if (!page.ok()) return page.status();
    for (const Entry& entry : ((*page).*entries)()) all.push_back(entry);
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return all;
}

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_PAGES_H_
