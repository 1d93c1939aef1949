"""A registry: things that go by a name, our own and those that installed packages bring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from segloop.core.errors import ConfigError, SegloopError

T = TypeVar("T")


class Registry(Generic[T]):
    """Items by name: built in, registered by a caller, or found among the entry points of installed packages.

    Nothing is imported before an item is asked for. Names that come from a file are only ever looked up here,
    so that a file can't name code to run.

    Parameters
    ----------
    group : str
        Group of entry points in which installed packages offer items, such as ``"segloop.networks"``.
    noun : str
        What an item is called in messages, such as ``"network"``.
    built_in : mapping of str to str
        Where each of our own items is, as ``"package.module:attribute"``. No other item can take these names.
    error : type of SegloopError, optional
        Raised for a name that is not known.
    """

    def __init__(
        self,
        group: str,
        noun: str,
        built_in: Mapping[str, str],
        error: type[SegloopError] = ConfigError,
    ) -> None:
        self.group = group
        self.noun = noun
        self._built_in = {name: EntryPoint(name, where, group) for name, where in built_in.items()}
        self._registered: dict[str, T] = {}
        self._error = error

    def names(self) -> tuple[str, ...]:
        """Return all names: our own first, then the others in alphabetical order."""
        others = {*self._registered, *(entry.name for entry in entry_points(group=self.group))}
        return (*self._built_in, *sorted(others - set(self._built_in)))

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def get(self, name: str) -> T:
        """Return the item of a name.

        Raises
        ------
        SegloopError
            Of the registry's kind, if there is no such item, or the package that brings it can't be imported.
        """
        if name in self._built_in:
            return self._load(self._built_in[name])
        if name in self._registered:
            return self._registered[name]
        for entry in entry_points(group=self.group, name=name):
            return self._load(entry)
        raise self._error(
            f"There is no {self.noun} '{name}': choose one of {', '.join(self.names())}, "
            "or install the package that brings it."
        )

    def register(self, name: str, item: T) -> None:
        """Add an item for this process.

        Raises
        ------
        SegloopError
            Of the registry's kind, if the name is taken.
        """
        if name in self:
            raise self._error(f"There is already a {self.noun} '{name}': choose another name.")
        self._registered[name] = item

    @contextmanager
    def registered(self, name: str, item: T) -> Iterator[None]:
        """Have an item as long as the context is open; see `register`."""
        self.register(name, item)
        try:
            yield
        finally:
            del self._registered[name]

    def _load(self, entry: EntryPoint) -> T:
        try:
            item: T = entry.load()
        except Exception as error:  # whatever a stranger's module raises when it is imported
            raise self._error(
                f"The {self.noun} '{entry.name}' can't be loaded from {entry.value} "
                f"({type(error).__name__}: {error}): reinstall the package that brings it."
            ) from error
        return item
