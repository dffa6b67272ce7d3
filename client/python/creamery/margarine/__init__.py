"""The names that users of margarine call, answered by a Creamery server: change one import and a script runs on it.

    from margarine.maf import MAF                      ->  from creamery.margarine.maf import MAF
    from margarine.estimators.realnvp import RealNVP   ->  from creamery.margarine.estimators.realnvp import RealNVP

The modules are those of margarine 1.x (`maf`, `kde`, `clustered`, `marginal_stats`) and of 2.x (`estimators.realnvp`,
`.nice`, `.kde`, `.clustered`, `statistics`); the classes are here too, under one roof. Where the server is, the
variable CREAMERY_SERVER says, or `connect`; nothing is started by itself. What differs, and why:

* Training ends when the held-out loss has stopped improving and the best epoch is served, whatever `early_stop` says.
* Without `theta_min` and `theta_max` (`theta_ranges`) the density is unbounded: sample extremes are no limits. The
  attributes still hold margarine's estimate, and what takes a uniform prior between them says so.
* Outside the limits log_prob is -inf, never NaN.
* The bounds of `calculate(...).statistics()` are the estimate plus and minus its standard error.
* RealNVP and NICE train a masked autoregressive flow of the same depth and width, of which they are special cases.
* `save` writes the trained model, never the data, and `load` runs no code; files of margarine itself are not read.
* An option that has no meaning here warns once.

Papers of the methods: Bevins et al. arXiv:2205.12841, 2207.11457, 2305.02930.
"""

from creamery.margarine._service import connect, disconnect
from creamery.margarine.clustered import clusterMAF
from creamery.margarine.estimators.clustered import cluster
from creamery.margarine.estimators.nice import NICE
from creamery.margarine.estimators.realnvp import RealNVP
from creamery.margarine.kde import KDE
from creamery.margarine.maf import MAF
from creamery.margarine.marginal_stats import calculate
from creamery.margarine.statistics import integrate, kldivergence, model_dimensionality

__all__ = [
    "KDE",
    "MAF",
    "NICE",
    "RealNVP",
    "calculate",
    "cluster",
    "clusterMAF",
    "connect",
    "disconnect",
    "integrate",
    "kldivergence",
    "model_dimensionality",
]
