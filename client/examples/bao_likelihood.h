// Published measurements of baryon acoustic oscillations (BAO) as a Gaussian likelihood of flat wCDM.
// Const after construction, safe to share between threads.
#ifndef CREAMERY_CLIENT_EXAMPLES_BAO_LIKELIHOOD_H_
#define CREAMERY_CLIENT_EXAMPLES_BAO_LIKELIHOOD_H_

#include <vector>

namespace creamery::examples {

// Measurements with a common covariance. At each redshift: D_M/r_s, then D_H/r_s (transverse and radial distance in
// units of the sound horizon).
struct BaoMeasurement {
  std::vector<double> redshifts;   // (k,)
  std::vector<double> mean;        // (2k,)
  std::vector<double> covariance;  // (2k, 2k), row-major
};

// DESI 2024, luminous red galaxies at z = .510 and .706.
std::vector<BaoMeasurement> Desi2024();
// SDSS DR12 at z = .38 and .51, DR16 luminous red galaxies at z = .698.
std::vector<BaoMeasurement> Sdss();

// log L(omegam, w0, h0rs), h0rs = H0 r_s in km/s, of independent measurements.
//   H(z)^2 = H0^2 [omegam (1+z)^3 + (1-omegam) (1+z)^(3(1+w0))], D_H = c/H(z), D_M = int_0^z c dz'/H(z').
// Radiation is neglected: it changes H(z) by less than 10^-3 at these redshifts.
class BaoLikelihood {
 public:
  // Every covariance must be positive definite.
  explicit BaoLikelihood(const std::vector<BaoMeasurement>& measurements);

  // The shape of the expansion: H0/c times all distances, in the order of the measurements. H0 r_s only scales it.
  std::vector<double> Distances(double omegam, double w0) const;
  // Natural logarithm of the normalised density of the data. `distances` are those of Distances().
  double LogLikelihood(const std::vector<double>& distances, double h0rs) const;

 private:
  struct Block {
    std::vector<double> redshifts;
    std::vector<double> mean;
    std::vector<double> cholesky;  // lower triangle L of the covariance L L^T, row-major
    double log_normalisation;
  };
  std::vector<Block> blocks_;
};

}  // namespace creamery::examples

#endif  // CREAMERY_CLIENT_EXAMPLES_BAO_LIKELIHOOD_H_
