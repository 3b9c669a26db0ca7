"""Base class of the parts of a spec: strict, frozen mappings; and the choice of a class by `type`.

A field for a component is annotated `Annotated[A | B | Nothing, Tagged("key")]` and registered with
`declare`. A word is short for a type (rule 1); a mapping without `type` has the default type.
Validators are built on first use, to keep imports fast.

Modules that define parts do not use `from __future__ import annotations`, because pydantic would
have to evaluate 350 annotations from strings at import, a tenth of the time of `check`.

The docstring of a part is its documentation: lines `option: text` describe its options in the
language reference and the JSON Schema.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, NoReturn, TypeVar, get_args

from pydantic import VERSION, BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from .installed import PluginError, load_installed


class UnknownValueError(Exception):
    """A law read an invalid value, so it cannot be checked."""


class _Broken:
    """Placeholder for an invalid value, so that the rest can be checked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "BROKEN"

    def _refuse(self, *_: object) -> NoReturn:
        raise UnknownValueError

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # pydantic before 2.11 reads these in isinstance
            raise AttributeError(name)
        raise UnknownValueError

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __format__ = __bool__ = __len__ = __iter__ = __getitem__ = __contains__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __mod__ = __rmod__ = _refuse
    __hash__ = __floordiv__ = __rfloordiv__ = __truediv__ = __rtruediv__ = __int__ = __float__ = (
        _refuse
    )


BROKEN: Any = _Broken()


class Part(BaseModel):
    """A mapping of a spec; unknown keys are errors, and instances are immutable."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        defer_build=True,
        populate_by_name=True,
    )

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """The values as plain data, with the options of pydantic."""
        if NEEDS_SERIALIZERS:
            build_serializers(self)
        return super().model_dump(**options)

    def model_dump_json(self, **options: Any) -> str:
        """The values as JSON, with the options of pydantic."""
        if NEEDS_SERIALIZERS:
            build_serializers(self)
        return super().model_dump_json(**options)


NEEDS_SERIALIZERS = tuple(map(int, VERSION.split(".")[:2])) < (2, 14)
"""Before version 2.14 pydantic cannot dump a nested object of a class with a deferred build."""


def build_serializers(value: object) -> None:
    """Build serialisers of nested classes that were constructed but never validated."""
    for _, part in parts_in(value):
        cls = type(part)
        if not cls.__pydantic_complete__:
            cls.model_rebuild()


CONTAINERS = (Part, dict, tuple)
"""Values of a spec that may contain parts."""
PLAIN = {str, int, float, bool, type(None)}
"""Types of values that contain no parts."""


def parts_in(value: object) -> list[tuple[tuple[str | int, ...], Part]]:
    """All parts in a value, including itself, each with its path and after the part around it."""
    found: list[tuple[tuple[str | int, ...], Part]] = []
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting:
        path, value = waiting.pop()
        inner: list[tuple[str | int, Any]]
        if isinstance(value, Part):
            found.append((path, value))
            own, options = vars(value), options_of(type(value))
            inner = [(n, own[n]) for n in options if n in own and type(own[n]) not in PLAIN]
        elif isinstance(value, dict):
            inner = [*value.items()]
        else:
            inner = [*enumerate(value)] if isinstance(value, tuple) else []
        waiting += [((*path, key), one) for key, one in reversed(inner)]
    return found


@cache
def options_of(cls: type[Part]) -> tuple[str, ...]:
    """The attributes of a part: its options, and `type` if it has one."""
    return tuple(cls.model_fields)


class Nothing(Part):
    """Disabled."""

    type: Literal["none"] = "none"


NOTHING = Nothing.model_construct()
"""The default of optional components. Defaults are constructed, not validated, so that validators
are
built only for classes that a spec uses."""


class _Passing:
    """Annotation for values that may be BROKEN."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_wrap_validator_function(self.validate, handler(source))

    @staticmethod
    def validate(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:
        return value if value is BROKEN else inner(value)


class _OneOf:
    """Annotation for a Literal: the value must be one of its words."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        choices = get_args(source)

        def validate(value: Any) -> Any:
            if value is BROKEN or any(value == c and type(value) is type(c) for c in choices):
                return value
            raise PydanticCustomError("choice", "no such choice", {"options": list(choices)})

        return core_schema.no_info_plain_validator_function(validate)


PASSING = _Passing()
K = TypeVar("K")
V = TypeVar("V")
Inner = Annotated[V, PASSING]
Many = Annotated[tuple[V, ...], Field(strict=False), PASSING]
Map = Annotated[dict[K, V], PASSING]
OneOf = Annotated[V, _OneOf()]

COMPONENTS: dict[str, Tagged] = {}
"""Key of a spec -> its component."""


WITH_PLUGINS = ("attention", "cross_attention", "sublayers")
"""Components to which plug-ins can add types."""


class Tagged:
    """Annotation for a union of parts, distinguished by `type`.

    key: key of the component
    default: the type of a mapping without `type`; None: `type` is required
    """

    def __init__(self, key: str, default: str | None = None) -> None:
        self.key, self.default = key, default
        self.classes: dict[str, type[Part]] = {}

    def fill(self, union: Any) -> None:
        classes: list[type[Part]] = [c for c in get_args(union) if isinstance(c, type)] or [union]
        self.classes = {c.model_fields["type"].default: c for c in classes}

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        if not self.classes:
            self.fill(source)
        return core_schema.with_info_plain_validator_function(self.validate)

    def find(self, name: Any) -> type[Part] | None:
        """The class of a type, which may be that of an installed plug-in; None if it is unknown.

        Raises PluginError if the plug-in cannot be loaded.
        """
        if not isinstance(name, str):
            return None
        if name not in self.classes and self.key in WITH_PLUGINS:
            load_installed(name)
        return self.classes.get(name)

    def validate(self, value: Any, info: core_schema.ValidationInfo) -> Any:
        if value is BROKEN or isinstance(value, tuple(self.classes.values())):
            return value
        if isinstance(value, str):
            value = {"type": value}
        if not isinstance(value, dict):
            raise PydanticCustomError("wanted", "a word or a mapping of options")
        name = value.get("type", self.default)
        if name is BROKEN:
            return BROKEN
        if name is None:
            raise PydanticCustomError("no_type", "no type", {"options": list(self.classes)})
        try:
            cls = self.find(name)
        except PluginError as error:
            raise PydanticCustomError("plugin", "{text}", {"text": str(error)}) from None
        if cls is None:
            context = {"given": str(name), "options": list(self.classes)}
            raise PydanticCustomError("unknown_type", "unknown type", context)
        return cls.model_validate(value, context=info.context)

    def pick(self, data: Any) -> type[Part] | None:
        """The class of plain data; None if its type is unknown."""
        name = data.get("type", self.default) if isinstance(data, dict) else data
        try:
            return self.find(name)
        except PluginError:  # validation reports it
            return None


def declare(annotation: Any, *keys: str) -> None:
    """Register a component under its own key and under further `keys`."""
    union, tagged = get_args(annotation)
    tagged.fill(union)
    for key in (tagged.key, *keys):
        COMPONENTS[key] = tagged
