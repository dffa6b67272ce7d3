// SHA-256, and random secrets, both in lower-case hexadecimal.
#ifndef CREAMERY_PROTO_SUPPORT_DIGEST_H_
#define CREAMERY_PROTO_SUPPORT_DIGEST_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace creamery {

// The digest of bytes that come in pieces. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(absl::string_view bytes);
  // The digest of everything so far: 64 characters. Call once, last.
  std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The digest of `bytes`: 64 characters.
std::string Sha256Hex(absl::string_view bytes);

// True for 64 characters of 0-9a-f.
bool IsSha256Hex(absl::string_view digest);

// `num_bytes` from the system's cryptographic generator, as twice as many characters.
std::string RandomHex(int num_bytes);

// Compares in a time that does not depend on where the strings differ.
bool SecretsEqual(absl::string_view a, absl::string_view b);

}  // namespace creamery

#endif  // CREAMERY_PROTO_SUPPORT_DIGEST_H_
