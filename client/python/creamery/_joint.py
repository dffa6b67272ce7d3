"""The joint posterior of several models, and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from creamery import _arrays, _estimate, _names, _samples, _warnings
from creamery._arrays import FloatArray
from creamery._estimate import Estimate
from creamery._text import printable_repr
from creamery._transport import Transport
from creamery.v1 import dataset_pb2, job_service_pb2, model_service_pb2


@dataclass(frozen=True, repr=False, eq=False)
class JointResult:
    """What the joint analysis of several models says; natural logs, each estimate with its error.

    Attributes:
        log_r: log R = log Z_joint - sum log Z_i; needs no evidence.
        log_z: log Z_joint, if every model carries a log-evidence.
        information: I = sum D_i - D_joint, nats (Handley & Lemos 2019, arXiv:1902.04029, eq. 14); None where a D is.
        log_suspiciousness: log S = log R - I.
        dimensionality: d = sum d_i - d_joint, the number of parameters that the models constrain together.
        joint_kl: D_KL of the joint posterior from the prior, nats.
        joint_dimensionality: d_G of the joint posterior.
        p_value: chance of a tension at least as large; None if d is not positive.
        sigma: the same in standard deviations of a normal; None if p_value is.
        sigma_range: ends of `sigma` that hold 68 % of what the errors of log S and d allow; None where undefined.
        columns: names of all parameters, those of the first model first.
        shared: names of those that at least two models have.
        theta: (n, d) weighted samples of the joint posterior.
        weights: (n,) their weights, mean 1.
        log_density: (n,) natural log of the unnormalised posterior density the rows were drawn from.
        effective_size: effective number of the samples, Kish's.
        k_hat: Pareto k-hat of the last importance weights; above 0.7 they are not to be trusted.
        evaluations: evaluations of one model's density that were used.
        seed: the seed that was used.
        model_versions: the versions that answered, in the order asked.
        prior_model_version: the version of the prior's model; empty if it is analytic.
        warnings: reasons for care, such as "LITTLE_OVERLAP".
        remarks: what is left out and why, in sentences.

    Example:
        >>> joint = client.joint(["planck/cosmo", "des/cosmo"], seed=1)
        >>> joint.log_r, joint.sigma
        (3.20 ± 0.08 nats, 0.9)
        >>> joint.samples(as_="getdist")
    """

    log_r: Estimate
    log_z: Optional[Estimate]
    information: Optional[Estimate]
    log_suspiciousness: Optional[Estimate]
    dimensionality: Optional[Estimate]
    joint_kl: Optional[Estimate]
    joint_dimensionality: Optional[Estimate]
    p_value: Optional[float]
    sigma: Optional[float]
    sigma_range: Tuple[Optional[float], Optional[float]]
    columns: Tuple[str, ...]
    shared: Tuple[str, ...]
    theta: FloatArray
    weights: FloatArray
    log_density: FloatArray
    effective_size: float
    k_hat: float
    evaluations: int
    seed: int
    model_versions: Tuple[str, ...]
    prior_model_version: str
    warnings: Tuple[str, ...]
    remarks: Tuple[str, ...]
    _transport: Transport

    @classmethod
    def of_stream(cls, transport: Transport, replies: Iterable[Any]) -> JointResult:
        """The result of the replies of a JointPosterior call."""
        stream = iter(replies)
        first = next(stream)
        chunks = [first.samples] if first.HasField("samples") else []
        chunks += [reply.samples for reply in stream if reply.HasField("samples")]
        return cls._make(transport, first, chunks)

    @classmethod
    def of_job(cls, transport: Transport, first: Any, job: Optional[str]) -> JointResult:
        """The result of a job's answer; its samples are read unless `job` is None."""
        chunks: Iterator[Any] = iter(())
        if job is not None:
            chunks = transport.stream("ReadSamples", job_service_pb2.ReadSamplesRequest(name=job), immutable=True)
        return cls._make(transport, first, list(chunks))

    @classmethod
    def _make(cls, transport: Transport, first: Any, chunks: List[Any]) -> JointResult:
        said = first.statistics

        def estimate(name: str, unit: str) -> Optional[Estimate]:
            if not said.HasField(name):
                return None
            versions = {"seed": first.seed, "prior_model_version": first.prior_model_version}
            return _estimate.from_proto(getattr(said, name), unit, **versions)

        def optional(name: str) -> Optional[float]:
            return float(getattr(said, name)) if said.HasField(name) else None

        def column(name: str, empty: Tuple[int, ...]) -> FloatArray:
            parts: List[NDArray[Any]] = [_arrays.from_proto(getattr(each, name)) for each in chunks]
            joined: FloatArray = np.concatenate(parts) if parts else np.empty(empty)
            return joined

        kinds = _warnings.names(first.warnings)
        _warnings.warn(kinds, f"joint posterior of {_who(first.model_versions)}")
        return cls(
            log_r=_estimate.from_proto(said.log_r, "nats", seed=first.seed, warnings=kinds),
            log_z=estimate("log_z", "nats"),
            information=estimate("information", "nats"),
            log_suspiciousness=estimate("log_suspiciousness", "nats"),
            dimensionality=estimate("dimensionality", ""),
            joint_kl=estimate("joint_kl", "nats"),
            joint_dimensionality=estimate("joint_dimensionality", ""),
            p_value=optional("p_value"),
            sigma=optional("sigma"),
            sigma_range=(optional("sigma_low"), optional("sigma_high")),
            columns=tuple(first.columns),
            shared=tuple(first.shared),
            theta=column("theta", (0, len(first.columns))),
            weights=column("weight", (0,)),
            log_density=column("log_density", (0,)),
            effective_size=first.effective_size,
            k_hat=first.k_hat,
            evaluations=first.evaluations,
            seed=first.seed,
            model_versions=tuple(first.model_versions),
            prior_model_version=first.prior_model_version,
            warnings=kinds,
            remarks=tuple(first.remarks),
            _transport=transport,
        )

    def samples(self, as_: Optional[str] = None) -> Any:
        """The weighted samples of the joint posterior.

        Args:
            as_: "anesthetic", "getdist" or "pandas" for a frame of that package with weights, labels and, for getdist,
                ranges; None for the array `theta`, whose weights are `weights`.

        Returns:
            (n, d) float64 with the columns `columns`; with `as_`, a frame.

        Raises:
            InvalidArgumentError: an unknown `as_`.
            ImportError: the package of `as_` is not installed.

        Example:
            >>> getdist.plots.get_subplot_plotter().triangle_plot([joint.samples(as_="getdist")])
        """
        _samples.check(as_)
        if as_ is None:
            return self.theta
        return _samples.convert(self.theta, None, self._parameters(), as_, weights=self.weights)

    def _parameters(self) -> List[dataset_pb2.Parameter]:
        """The parameters of `columns` as the models describe them; asks for models until all are described."""
        found: Dict[str, dataset_pb2.Parameter] = {}
        for name in self.model_versions:
            if set(self.columns) <= set(found):
                break
            version = self._transport.call("GetModelVersion", model_service_pb2.GetModelVersionRequest(name=name))
            for each in version.signature.parameters:
                found.setdefault(each.name, each)
        return [found.get(name, dataset_pb2.Parameter(name=name)) for name in self.columns]

    @printable_repr
    def __repr__(self) -> str:
        tension = "undefined" if self.sigma is None else f"{self.sigma:.2f} sigma"
        shown = {
            "log R": self.log_r,
            "log Z": self.log_z,
            "information": self.information,
            "log S": self.log_suspiciousness,
            "d": self.dimensionality,
        }
        lines = [f"joint posterior of {_who(self.model_versions)}", f"  shared        {', '.join(self.shared)}"]
        lines += [f"  {key:13} {value!r}" for key, value in shown.items() if value is not None]
        lines.append(f"  tension       {tension}")
        lines.append(f"  samples       {len(self.theta)}, effective {self.effective_size:.0f}, k-hat {self.k_hat:.2f}")
        return "\n".join([*lines, *(f"  {remark}" for remark in dict.fromkeys(self.remarks))])


def _who(versions: Sequence[str]) -> str:
    """A few of the models, and how many more."""
    shown = ", ".join(_names.short(each) for each in versions[:3])
    return f"{shown} and {len(versions) - 3} more" if len(versions) > 3 else shown
