// Loss and gradient of a flow without LibTorch: the forward and backward pass of a minibatch in one go, some ten times
// faster than FlowNetwork under autograd, which is the reference it is tested against.
//
// float32, sums in a fixed order: the same weights and rows give the same bits, whatever the number of threads.
#ifndef CREAMERY_MODELS_TRAINING_FUSED_FLOW_H_
#define CREAMERY_MODELS_TRAINING_FUSED_FLOW_H_

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "models/plan/plan.h"
#include "models/training/fused_layout.h"
#include "proto/support/stop_token.h"

namespace creamery {

// Rows index[0..count) of y, or rows 0..count-1 if index is null. Borrowed for the call.
struct FusedRows {
  const float* y = nullptr;       // (n, d), finite; in [0, 1] for spline layers
  const float* weight = nullptr;  // (n)
  const int64_t* index = nullptr;
  int64_t count = 0;
};

// Immutable after construction and thread-safe, each thread with a workspace of its own.
class FusedFlow {
 public:
  // `layers`: orders, degrees and shapes count; their numbers may be empty.
  explicit FusedFlow(absl::Span<const AutoregressiveLayer> layers) : layout_(layers) {}

  // What a call writes to; made once, so that a step allocates nothing. Not thread-safe.
  class Workspace {
   public:
    explicit Workspace(const FusedFlow& flow);

   private:
    friend class FusedFlow;
    struct Free {
      void operator()(float* memory) const { std::free(memory); }
    };
    std::unique_ptr<float[], Free> tiles_;
  };

  int64_t num_weights() const { return layout_.num_weights; }

  // The loss -1/count sum_i weight_i log p(y_i), natural log, of the base N(0, I) for affine layers and U(0, 1)^d for
  // spline layers, and its gradient, of which forbidden entries are 0. `weights` and `gradient`: (num_weights) in the
  // order of FlowNetwork; forbidden weights are 0, as FlowNetwork makes them and gradient steps leave them. NaN or
  // infinite if the arithmetic overflows. Returns within a linear map of a tile once `stop` is asked for; the caller
  // looks at it before it uses what came back.
  double LossAndGradient(absl::Span<const float> weights, const FusedRows& rows, Workspace& workspace,
                         absl::Span<float> gradient, const StopToken& stop = StopToken()) const;

  // The loss alone.
  double Loss(absl::Span<const float> weights, const FusedRows& rows, Workspace& workspace,
              const StopToken& stop = StopToken()) const;

 private:
  // Tiles that are worked on together: the more, the less often sums over rows end; few enough for the cache.
  static constexpr int64_t kTiles = 4;

  float* Tile(Workspace& workspace, int64_t t) const { return &workspace.tiles_[t * layout_.lines * kTileRows]; }
  void SetRows(const FusedRows& rows, int64_t begin, float* tile) const;
  double TileLoss(const FusedRows& rows, int64_t begin, const float* tile) const;

  FusedLayout layout_;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_FUSED_FLOW_H_
