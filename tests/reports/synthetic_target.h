// Posteriors whose D_KL and d_G from their prior are known, in closed form or by quadrature, and that can be drawn from
// exactly: what error bars are held against.
#ifndef CREAMERY_TESTS_REPORTS_SYNTHETIC_TARGET_H_
#define CREAMERY_TESTS_REPORTS_SYNTHETIC_TARGET_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "creamery/v1/dataset.pb.h"
#include "models/random.h"

namespace creamery {

// Random numbers one after another.
class Draws {
 public:
  explicit Draws(uint64_t seed) : stream_(seed, RandomPurpose::kBootstrap) {}
  double Uniform() { return stream_.Uniform(next_++); }
  double Uniform(double lower, double upper) { return lower + (upper - lower) * Uniform(); }
  double Normal() { return stream_.Normal(next_++); }
  int64_t Integer(int64_t lower, int64_t upper) {  // both ends included
    return lower + static_cast<int64_t>(Uniform() * static_cast<double>(upper - lower + 1));
  }

 private:
  RandomStream stream_;
  uint64_t next_ = 0;
};

// A factor of the posterior: m parameters, independent of all others.
class Block {
 public:
  virtual ~Block() = default;
  virtual int64_t m() const = 0;
  // z: m independent standard normals -> theta: m, exactly distributed as the posterior.
  virtual void FromNormal(const double* z, double* theta) const = 0;
  virtual double LogProb(const double* theta) const = 0;
  virtual double MeanLogProb() const = 0;      // E_P[log P]
  virtual double VarianceLogProb() const = 0;  // Var_P[log P]
  virtual double lower(int64_t j) const = 0;   // of the uniform prior
  virtual double upper(int64_t j) const = 0;
};

// Correlated Gaussian, at least 6.5 standard deviations from every side of its box; `bend` adds bend (z_0^2 - 1)
// standard deviations to the last parameter, a shear, which keeps volumes and so the distribution of log P.
std::unique_ptr<Block> MakeGaussian(int64_t m, double bend, Draws& draws);
// Two correlated parameters, Gaussian, cut by the box, within one standard deviation or so of some sides.
std::unique_ptr<Block> MakeTruncatedPair(Draws& draws);
// One parameter: any of two narrow modes, a skewed density, a triangle, a cut Gaussian, an exponential at an edge.
std::unique_ptr<Block> MakeShape(int64_t shape, Draws& draws);
constexpr int64_t kShapes = 5;
// One parameter, uniform: the posterior is the prior.
std::unique_ptr<Block> MakeFlat(Draws& draws);

// Any density on (lower, upper) by its log, up to a constant, normalised by quadrature on a fine grid.
std::unique_ptr<Block> MakeTabulated(const std::function<double(double)>& log_density, double lower, double upper);

// How a block's column, uniform over its box a priori, becomes a parameter: as it is, with a uniform prior; by exp,
// with a log-uniform one; by the quantiles of a normal, which is its prior then. D_KL and d_G are the same in all
// three.
enum class Coordinates { kPlain, kLogarithm, kNormal };

// A product of blocks and of Gaussians under normal priors.
class Target {
 public:
  void Add(std::unique_ptr<Block> block, Coordinates coordinates);
  // Gaussian of m correlated parameters under normal priors that lie beside it, one to four times as wide.
  void AddUnderNormals(int64_t m, Draws& draws);

  int64_t d() const { return static_cast<int64_t>(parameters_.size()); }
  const std::vector<v1::Parameter>& parameters() const { return parameters_; }
  void FromNormal(const double* z, double* theta) const;
  double LogProb(const double* theta) const;
  double LogPrior(const double* theta) const;
  // The parameter of column j whose block's coordinate is phi, and back.
  double FromColumn(int64_t j, double phi) const;
  double kl() const { return kl_; }
  double dimensionality() const { return dimensionality_; }

 private:
  struct Column {
    Coordinates coordinates = Coordinates::kPlain;
    double lower = 0, upper = 0;  // of the block's coordinate
    double mean = 0, sd = 1;      // of the normal
  };

  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<Column> columns_;
  std::vector<v1::Parameter> parameters_;
  double kl_ = 0;
  double dimensionality_ = 0;
};

}  // namespace creamery

#endif  // CREAMERY_TESTS_REPORTS_SYNTHETIC_TARGET_H_
