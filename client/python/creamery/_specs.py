"""Estimator specs: one class per family, generated from the descriptor of `creamery.v1.EstimatorSpec`.

A family added to the `oneof` there is a class here after the next build, with its options.
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, Dict, List, Type

from google.protobuf.descriptor import FieldDescriptor

from creamery import _arguments
from creamery._errors import InvalidArgumentError, UnknownOptionError
from creamery.v1 import estimator_spec_pb2

_SPEC = estimator_spec_pb2.EstimatorSpec.DESCRIPTOR
_TRAINING = list(estimator_spec_pb2.TrainingOptions.DESCRIPTOR.fields)
_MAPS = "parameter_maps"
_TYPES = {
    FieldDescriptor.CPPTYPE_INT32: "int",
    FieldDescriptor.CPPTYPE_INT64: "int",
    FieldDescriptor.CPPTYPE_UINT32: "int",
    FieldDescriptor.CPPTYPE_UINT64: "int",
    FieldDescriptor.CPPTYPE_FLOAT: "float",
    FieldDescriptor.CPPTYPE_DOUBLE: "float",
    FieldDescriptor.CPPTYPE_BOOL: "bool",
    FieldDescriptor.CPPTYPE_STRING: "str",
}


def _is_repeated(field: Any) -> bool:
    # `label` goes away in newer protobuf, `is_repeated` is absent in older.
    repeated = getattr(field, "is_repeated", None)
    return bool(field.label == FieldDescriptor.LABEL_REPEATED if repeated is None else repeated)


def _type_name(field: Any) -> str:
    if field.enum_type is not None:
        return " or ".join(repr(value.name.lower()) for value in field.enum_type.values if value.number != 0)
    name = _TYPES.get(field.cpp_type, "message")
    return f"list of {name}" if _is_repeated(field) else name


def _parameter_map(name: str, value: Any) -> int:
    values = estimator_spec_pb2.ParameterMap
    if isinstance(value, str) and value.upper() in values.keys():
        return int(values.Value(value.upper()))
    if isinstance(value, int) and not isinstance(value, bool) and value in values.values():
        return value
    known = ", ".join(key.lower() for key, number in values.items() if number != 0)
    raise InvalidArgumentError(f"parameter_maps[{name!r}] is {_arguments.shown(value)}, expected one of {known}")


class EstimatorSpec:
    """What to train: a family with its options, training options and parameter maps.

    The classes of the families (`creamery.MAF`, `creamery.NSF`) take all of them as keywords. What is not given is
    decided by the server and found in `model.spec` afterwards.

    Raises:
        UnknownOptionError: an option that the family does not have (a ValueError and a TypeError).
        InvalidArgumentError: a value that does not fit the type of its option.

    Example:
        >>> creamery.MAF(transforms=6, hidden_units=[64, 64], members=4, seed=1)
        MAF(transforms=6, hidden_units=[64, 64], members=4, seed=1)
    """

    family: ClassVar[str] = ""

    def __init__(self, **options: Any) -> None:
        if not self.family:
            raise InvalidArgumentError(f"expected one of the families: {', '.join(sorted(FAMILIES))}")
        known = self.options()
        unknown = [name for name in options if name not in known]
        if unknown:
            raise UnknownOptionError(
                f"{type(self).__name__} has no option {', '.join(map(repr, unknown))}; "
                f"its options are {', '.join(known)}"
            )
        self._proto = estimator_spec_pb2.EstimatorSpec()
        getattr(self._proto, self.family).SetInParent()
        for name, value in options.items():
            if value is not None:
                self._set(name, value)

    @classmethod
    def options(cls) -> List[str]:
        """Names of all options, those of the family first."""
        family = [field.name for field in _SPEC.fields_by_name[cls.family].message_type.fields]
        return [*family, *(field.name for field in _TRAINING), _MAPS]

    def _set(self, name: str, value: Any) -> None:
        if name == _MAPS:
            for parameter, chosen in _arguments.mapping(_MAPS, value).items():
                self._proto.parameter_maps[parameter] = _parameter_map(parameter, chosen)
            return
        family = getattr(self._proto, self.family)
        target = family if name in family.DESCRIPTOR.fields_by_name else self._proto.training
        field = target.DESCRIPTOR.fields_by_name[name]
        try:
            if name == "blocks":  # lists of names are joined as the server splits them
                value = [each if isinstance(each, str) else " ".join(each) for each in value]
            if _is_repeated(field):
                listed = _arguments.sequence(name, value, "values")
                getattr(target, name).extend(_arguments.scalar(name, field, each) for each in listed)
            elif field.enum_type is not None and isinstance(value, str):
                setattr(target, name, field.enum_type.values_by_name[value.upper()].number)
            elif field.message_type is not None:
                getattr(target, name).CopyFrom(value)
            else:
                setattr(target, name, _arguments.scalar(name, field, value))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidArgumentError(
                f"{type(self).__name__} option {name} is {_arguments.shown(value)}, "
                f"expected {_type_name(field)}: {error}"
            ) from None

    @property
    def proto(self) -> estimator_spec_pb2.EstimatorSpec:
        """A copy of the message that travels."""
        message = estimator_spec_pb2.EstimatorSpec()
        message.CopyFrom(self._proto)
        return message

    @staticmethod
    def from_proto(message: estimator_spec_pb2.EstimatorSpec) -> EstimatorSpec:
        """The spec of a message.

        Raises:
            InvalidArgumentError: a family that this client does not know.
        """
        family = message.WhichOneof("family")
        if family is None:
            raise InvalidArgumentError("spec has no family that this client knows; a newer client does")
        spec = FAMILIES[family.upper()]()
        spec._proto.CopyFrom(message)
        return spec

    def to_dict(self) -> Dict[str, Any]:
        """The options that are set, by name."""
        found: Dict[str, Any] = {}
        for part in (getattr(self._proto, self.family), self._proto.training):
            for field, value in part.ListFields():
                if field.enum_type is not None:
                    value = field.enum_type.values_by_number[value].name.lower()
                found[field.name] = list(value) if _is_repeated(field) else value
        if self._proto.parameter_maps:
            name_of = estimator_spec_pb2.ParameterMap.Name
            found[_MAPS] = {key: name_of(value).lower() for key, value in sorted(self._proto.parameter_maps.items())}
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EstimatorSpec) and bool(self._proto == other._proto)

    __hash__ = None  # type: ignore[assignment]  # compared by value and holds lists

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.to_dict().items())})"


def _family_class(field: Any) -> Type[EstimatorSpec]:
    family = list(field.message_type.fields)
    lines = [f"    {each.name}: {_type_name(each)}." for each in family]
    lines += [f"    {each.name}: {_type_name(each)} (training)." for each in _TRAINING]
    lines += [f"    {_MAPS}: dict of parameter name to map, such as 'probit' or 'log'."]
    name = field.name.upper()
    doc = f"The family `{field.name}`; every option is a keyword and optional.\n\nArgs:\n" + "\n".join(lines)
    doc += f"\n\nExample:\n    >>> creamery.{name}(members=4, seed=1)\n    {name}(members=4, seed=1)\n"
    cls = type(name, (EstimatorSpec,), {"family": field.name, "__doc__": doc, "__module__": "creamery"})
    options = [*(each.name for each in family), *(each.name for each in _TRAINING), _MAPS]
    parameters = [inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=None) for option in options]
    cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return cls


FAMILIES: Dict[str, Type[EstimatorSpec]] = {}
for _field in _SPEC.oneofs_by_name["family"].fields:
    FAMILIES[_field.name.upper()] = _family_class(_field)
