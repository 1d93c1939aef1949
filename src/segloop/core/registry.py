"""Registries: items with a name, built in or added by users and installed packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from segloop.core.errors import ConfigError, SegloopError

T = TypeVar("T")


class Registry(Generic[T]):
    """Items by name: built in, registered in this process, or entry points of installed packages.

    Items are imported when they are first requested. Names from files are only looked up here, so that a file
    can't cause other code to run.

    Parameters
    ----------
    group : str
        Group of entry points in which installed packages offer items, such as ``"segloop.networks"``.
    noun : str
        What an item is called in messages, such as ``"network"``.
    built_in : mapping of str to str
        Where each built-in item is, as ``"package.module:attribute"``. No other item can have these names.
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
        """Return all names: the built-in ones first, then the others in alphabetical order."""
        others = {*self._registered, *(entry.name for entry in entry_points(group=self.group))}
        return (*self._built_in, *sorted(others - set(self._built_in)))

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def get(self, name: str) -> T:
        """Return the item with a name.

        Raises
        ------
        SegloopError
            Of the registry's kind, if there is no such item, or its package can't be imported.
        """
        if name in self._built_in:
            return self._load(self._built_in[name])
        if name in self._registered:
            return self._registered[name]
        for entry in entry_points(group=self.group, name=name):
            return self._load(entry)
        raise self._error(
            f"There is no {self.noun} '{name}': choose one of {', '.join(self.names())}, "
            "or install the package that provides it."
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
        """Register an item while the context is open; see `register`."""
        self.register(name, item)
        try:
            yield
        finally:
            del self._registered[name]

    def _load(self, entry: EntryPoint) -> T:
        try:
            item: T = entry.load()
        except Exception as error:  # importing another package can raise anything
            raise self._error(
                f"The {self.noun} '{entry.name}' can't be loaded from {entry.value} "
                f"({type(error).__name__}: {error}): reinstall the package that provides it."
            ) from error
        return item
