"""Names for things of the application that make usable labels: few, stable, readable."""

from __future__ import annotations


def type_name(kind: type) -> str:
    """Return the qualified name of a class: `KeyError`, `shop.orders.OutOfStock`. Never raises, whatever the class says."""
    # The descriptors of `type` itself: a metaclass or a class may have put anything in the place of the attributes.
    name = type.__dict__["__qualname__"].__get__(kind)
    module = type.__dict__["__dict__"].__get__(kind).get("__module__", "builtins")
    if not isinstance(module, str) or module == "builtins":
        return str(name)
    return f"{module}.{name}"
