"""Declaration of the node's parameters, their checks, and reading them as a snapshot."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from hamer_ros.errors import ConfigurationError
from hamer_ros.ros.parameters import qos_overrides
from hamer_ros.ros.parameters.table import Parameters

_SETTINGS = {field.name: field.metadata for field in dataclasses.fields(Parameters)}
_RESTART = "; start the node again with another"


def declare(node: Node) -> dict[str, str]:
    """Declare all parameters with their description and range, and check what is set later.

    Returns name -> reason of those that were given at the start but cannot be used; they have
    their defaults until they are set again.  An integer is accepted for any number.
    """
    refused = {}
    known_qos = qos_overrides.names(node)
    for name, parameter in overrides(node).items():
        if name in known_qos and (problem := qos_overrides.problem(parameter)) is not None:
            refused[name] = problem + _RESTART
    for field in dataclasses.fields(Parameters):
        try:
            _declare(node, field)
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            remedy = _RESTART if field.metadata["fixed"] else ""
            refused[field.name] = f"{field.name}: {error}{remedy}"
            node.declare_parameter(
                field.name, field.metadata["default"], _descriptor(field), ignore_override=True
            )
    node.add_pre_set_parameters_callback(partial(_adapted_parameters, node))
    node.add_on_set_parameters_callback(_check)
    return refused


def overrides(node: Node) -> dict[str, Parameter]:
    """Return what parameter files and the command line gave a node, declared or not."""
    with node.handle:  # the only access that rclpy has
        return node.handle.get_parameters(Parameter)


def _adapted_parameters(node: Node, parameters: list[Parameter]) -> list[Parameter]:
    """Return the parameters to set: integers as floats, without unchanged read-only ones.

    A file that `ros2 param dump` wrote holds read-only parameters of rclpy; to set them to their
    present value is no mistake, and loading the file must not fail.
    """
    adapted = [_adapted(node, parameter) for parameter in parameters]
    # rclpy takes no empty list, so it gets a parameter of every node, unchanged.
    return [p for p in adapted if p is not None] or [node.get_parameter("use_sim_time")]


def _adapted(node: Node, parameter: Parameter) -> Parameter | None:
    """Return a parameter as the node can take it; None if it is read-only and unchanged."""
    name, value = parameter.name, parameter.value
    if not node.has_parameter(name):
        return parameter
    present = node.get_parameter(name)
    if node.describe_parameter(name).read_only and value == present.value:
        return None
    if type(value) is int and present.type_ is Parameter.Type.DOUBLE:
        return Parameter(name, value=float(value))
    return parameter


def _declare(node: Node, field: dataclasses.Field) -> None:
    try:
        node.declare_parameter(field.name, field.metadata["default"], _descriptor(field))
    except InvalidParameterTypeException:
        value = _override_of(node, field.name)
        if not (isinstance(field.metadata["default"], float) and type(value) is int):
            raise
        node.declare_parameter(field.name, float(value), _descriptor(field), ignore_override=True)


def _override_of(node: Node, name: str) -> object:
    """Return what the node was given at the start for a parameter that is not declared yet."""
    node.declare_parameter(name, descriptor=ParameterDescriptor(dynamic_typing=True))
    value = node.get_parameter(name).value
    node.undeclare_parameter(name)
    return value


def read(node: Node) -> Parameters:
    """Return the present values, resolved.

    Raises:
        ConfigurationError: a value that is none of the choices.
    """
    try:
        return Parameters(**{p.name: _resolved(p) for p in node.get_parameters(list(_SETTINGS))})
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def with_live(current: Parameters, changed: list[Parameter]) -> Parameters:
    """Return the parameters in use after a change, of which only the live ones take effect."""
    live = [p for p in changed if p.name in _SETTINGS and _SETTINGS[p.name]["live"]]
    return dataclasses.replace(current, **{p.name: _resolved(p) for p in live})


def waiting(node: Node, in_use: Parameters | None) -> dict[str, tuple[Any, Any]]:
    """Return name -> (value in use, value from the next configure on) of the parameters not live.

    in_use: what the node was configured with; None where it is not configured: nothing waits then.
    """
    late = [name for name, setting in _SETTINGS.items() if not setting["live"]]
    then = {parameter.name: _resolved(parameter) for parameter in node.get_parameters(late)}
    return {name: (getattr(in_use, name, then[name]), then[name]) for name in late}


def _resolved(parameter: Parameter) -> Any:
    """Return the value of a field of `Parameters`.

    Raises:
        ValueError: a value that is none of the choices, or invalid.
    """
    setting = _SETTINGS[parameter.name]
    choices, value = setting["choices"], parameter.value
    if choices and value not in choices:
        if value in setting["renamed"]:
            raise ValueError(
                f"{parameter.name} '{value}' is called '{setting['renamed'][value]}' now"
            )
        raise ValueError(f"{parameter.name} is '{value}'; known are: {', '.join(choices)}")
    return setting["parse"](value)


def _descriptor(field: dataclasses.Field) -> ParameterDescriptor:
    meta = field.metadata
    notes = [meta["description"]]
    if meta["unit"]:
        notes.append(f"Unit: {meta['unit']}.")
    if meta["choices"]:
        notes.append(f"One of: {', '.join(meta['choices'])}.")
    if meta["fixed"]:
        notes.append("Takes effect at the start only.")
    elif not meta["live"]:
        notes.append("Takes effect when the node is configured.")
    descriptor = ParameterDescriptor(description=" ".join(notes), read_only=meta["fixed"])
    if meta["limits"] is not None:
        low, high = meta["limits"]
        if isinstance(meta["default"], int):
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor


def _check(parameters: list[Parameter]) -> SetParametersResult:
    for parameter in parameters:
        if parameter.name in _SETTINGS:
            try:
                _resolved(parameter)
            except ValueError as error:
                return SetParametersResult(successful=False, reason=str(error))
    return SetParametersResult(successful=True)
