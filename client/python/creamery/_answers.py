"""Replies of StatisticsService as objects, the same for a method and for a job."""

from __future__ import annotations

from typing import Any, Iterable, Tuple

from creamery import _estimate, _names, _warnings
from creamery._errors import InternalError
from creamery._estimate import Estimate, Evidence, EvidenceRatio, EvidenceRatioEstimate
from creamery._joint import JointResult
from creamery._transport import Transport


def warn(values: Iterable[int], subject: str) -> Tuple[str, ...]:
    """Issues the warnings of a reply and returns their names."""
    kinds = _warnings.names(values)
    _warnings.warn(kinds, _names.short(subject) if subject else "creamery")
    return kinds


def marginal_kl(reply: Any) -> Estimate:
    """Of a MarginalKLResponse."""
    return _estimate.from_proto(reply.kl, "nats", remarks=tuple(reply.remarks), **_details(reply))


def dimensionality(reply: Any) -> Estimate:
    """Of a ModelDimensionalityResponse."""
    return _estimate.from_proto(reply.dimensionality, "", remarks=tuple(reply.remarks), **_details(reply))


def evidence(reply: Any, method: str, num_points: int = 0) -> Evidence:
    """Of an EvidenceResponse."""
    return _estimate.evidence_from_proto(
        reply.log_z,
        effective_size=reply.effective_size,
        efficiency=reply.efficiency,
        k_hat=reply.k_hat,
        done=reply.done or method == "harmonic mean",
        method=method,
        num_points=num_points,
        **_details(reply),
    )


def evidence_ratio(reply: Any) -> EvidenceRatio:
    """Of an EvidenceRatioResponse."""
    estimates = tuple(
        EvidenceRatioEstimate(
            each.numerator_method,
            each.denominator_method,
            _estimate.from_proto(each.log_ratio, "nats", seed=reply.seed),
        )
        for each in reply.estimates
    )
    versions = tuple(reply.model_versions)
    kinds = warn(reply.warnings, versions[0] if versions else "")
    return EvidenceRatio(estimates, reply.largest_disagreement, tuple(reply.remarks), kinds, reply.seed, versions)


def of_job(transport: Transport, job: Any) -> Any:
    """The answer of a statistics job that has SUCCEEDED.

    Raises:
        InternalError: the job holds no answer that this client knows.
    """
    result = job.statistics_result
    case = result.WhichOneof("response")
    if case == "marginal_kl":
        return marginal_kl(result.marginal_kl)
    if case == "model_dimensionality":
        return dimensionality(result.model_dimensionality)
    if case == "evidence":
        asked = job.statistics.evidence.WhichOneof("method")
        return evidence(result.evidence, "harmonic mean" if asked == "harmonic_mean" else "importance sampling")
    if case == "evidence_ratio":
        return evidence_ratio(result.evidence_ratio)
    if case == "joint_posterior":
        wanted = not job.statistics.joint_posterior.without_samples
        return JointResult.of_job(transport, result.joint_posterior, job.name if wanted else None)
    raise InternalError(f"{job.name} has succeeded without an answer that this client knows")


def _details(reply: Any) -> Any:
    return {
        "warnings": warn(reply.warnings, reply.model_version),
        "seed": reply.seed,
        "model_version": reply.model_version,
        "prior_model_version": reply.prior_model_version,
    }
