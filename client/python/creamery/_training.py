"""How a version was trained, and the table of what was compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Set, Tuple

from creamery import _specs, _warnings
from creamery._text import printable_repr
from creamery.v1 import model_pb2


@dataclass(frozen=True)
class Candidate:
    """One of the specs that were compared on the same held-out rows.

    Attributes:
        spec: what was trained, complete.
        held_out_log_prob: mean natural-log density of the held-out rows: higher is better.
        difference_error: standard error of its difference from the best candidate's; 0 for the best.
        chosen: True for the one that was kept.
        failure: why it was not trained to the end, if it was not.
    """

    spec: _specs.EstimatorSpec
    held_out_log_prob: float
    difference_error: float
    chosen: bool
    failure: str


class Comparison(List[Candidate]):
    """The candidates, best first; printed as a table.

    Example:
        >>> model.training.compared
          held-out log p   behind the best   family
        *         5.0312                     NSF(transforms=3, hidden_units=[50, 50], bins=8)
                  4.9980   0.033 ± 0.004     MAF(transforms=6, hidden_units=[50, 50])
    """

    @printable_repr
    def __repr__(self) -> str:
        if not self:
            return "nothing was compared"
        best = max((each.held_out_log_prob for each in self if not each.failure), default=0.0)
        lines = ["  held-out log p   behind the best   family"]
        steps = {each.spec.to_dict().get("learning_rate") for each in self}
        extra = {"learning_rate"} if len(steps) > 1 else set()  # a search over settings varies it too
        for each in self:
            behind = best - each.held_out_log_prob
            if each.failure:
                row = f"{'failed':>14}   {'':15}"
            elif behind == 0:
                row = f"{each.held_out_log_prob:14.4f}   {'':15}"
            else:
                row = f"{each.held_out_log_prob:14.4f}   {f'{behind:.3f} ± {each.difference_error:.3f}':15}"
            note = f": {each.failure}" if each.failure else ""
            lines.append(f"{'*' if each.chosen else ' '} {row}   {_family(each.spec, extra)}{note}")
        return "\n".join(lines)


class Training:
    """How a version was trained: every field of `creamery.v1.TrainingSummary` is an attribute.

    Example:
        >>> model.training.held_out.effective_size
        128.4
        >>> model.training.compared[0].spec.family
        'nsf'
    """

    def __init__(self, proto: model_pb2.TrainingSummary) -> None:
        self.proto = proto

    @property
    def compared(self) -> Comparison:
        """What `auto`, or a choice of the number of pieces, compared, best first; empty if there was no choice."""
        return Comparison(
            Candidate(
                _specs.EstimatorSpec.from_proto(each.spec),
                each.held_out_log_prob,
                each.difference_error,
                each.chosen,
                each.failure,
            )
            for each in self.proto.compared
        )

    @property
    def warnings(self) -> Tuple[str, ...]:
        """Reasons for care with every answer of the version, such as "ROWS_LEFT_OUT"."""
        return _warnings.names(self.proto.warnings)

    def __getattr__(self, name: str) -> Any:
        if name == "proto":
            raise AttributeError(name)
        return getattr(self.proto, name)

    @printable_repr
    def __repr__(self) -> str:
        return f"<Training by {self.proto.job}: {self.proto.num_rows} rows, {len(self.proto.members)} members>"


def _family(spec: _specs.EstimatorSpec, extra: Set[str]) -> str:
    """The spec with the options of its family, and the extra ones, as one writes it."""
    own = extra | {field.name for field in getattr(spec.proto, spec.family).DESCRIPTOR.fields}
    options = ", ".join(f"{key}={value!r}" for key, value in spec.to_dict().items() if key in own)
    return f"{type(spec).__name__}({options})"
