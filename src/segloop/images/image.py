"""An image: lazy pixels with axes ``TCZYX``, channel names and pixel size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.core.errors import ImageError
from segloop.images.refusals import unsupported, unsupported_feature

if TYPE_CHECKING:
    import dask.array as da

AXES = "TCZYX"
RGB = ("red", "green", "blue")

PixelSize = tuple[float | None, float | None, float | None]
"""Pixel size in micrometres along (z, y, x); None where unknown."""

UNKNOWN_SIZE: PixelSize = (None, None, None)

# Files that never saw a microscope hold the resolution of a screen or a printer (72 to 1200 dots an inch,
# thus pixels of 21 to 353 um), whatever unit they state. The smallest is below any electron microscope's.
_LARGEST_UM, _SMALLEST_UM, _LARGEST_STEP_UM = 20.0, 1e-5, 1000.0

# Blocks above this many pixels are worth the overhead of reading their chunks in threads.
_THREADS_FROM = 1 << 20


@dataclass(frozen=True, eq=False)
class Image:
    """Raw pixels behind a path or a viewer layer.

    Attributes
    ----------
    name : str
        File or layer name, as used in messages.
    data : dask.array.Array
        (T, C, Z, Y, X), lazy; any integer or real floating dtype, native byte order.
    channel_names : tuple of str
        One name for each channel.
    pixel_size_um : tuple of float or None
        (z, y, x) in micrometres; None where the file does not say.
    path : Path or None
        Where the image was read from; None for arrays.
    scene : str
        Name of this scene.
    scenes : tuple of str
        Names of all scenes of the file.
    notes : tuple of str
        What to know about how it was read, such as axes that were guessed; whole sentences without its name.
    """

    name: str
    data: da.Array = field(repr=False)
    channel_names: tuple[str, ...]
    pixel_size_um: PixelSize = UNKNOWN_SIZE
    path: Path | None = None
    scene: str = ""
    scenes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.data.ndim != len(AXES):
            raise ImageError(f"{self.name} has {self.data.ndim} axes after reading; {AXES} are expected.")
        if 0 in self.data.shape:
            raise ImageError(
                f"{self.name} has no pixels (its shape is {self.data.shape}): choose another image."
            )
        if len(self.channel_names) != self.data.shape[1]:
            raise ImageError(
                f"{self.name} has {self.data.shape[1]} channels but {len(self.channel_names)} channel names: "
                "pass one name for each channel."
            )

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Sizes along (T, C, Z, Y, X)."""
        t, c, z, y, x = self.data.shape
        return int(t), int(c), int(z), int(y), int(x)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel, as stored."""
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype

    @property
    def n_timepoints(self) -> int:
        """Size along T."""
        return self.shape[0]

    @property
    def n_channels(self) -> int:
        """Size along C."""
        return self.shape[1]

    @property
    def n_slices(self) -> int:
        """Size along Z."""
        return self.shape[2]

    def block(self, t: int, channels: Sequence[int], z: slice, y: slice, x: slice) -> np.ndarray:
        """Read one block; of a tiled or chunked file, only the tiles that it touches.

        Parameters
        ----------
        t : int
            Time point.
        channels : sequence of int
            Channels in the order wanted; one may occur twice.
        z, y, x : slice
            Extent along Z, Y, X in pixels, step 1.

        Returns
        -------
        numpy.ndarray
            (C, Z, Y, X) in the native dtype; a fresh array that the caller may change.

        Raises
        ------
        ImageError
            If the file turns out to be damaged, or has changed since it was opened.
        """
        from dask.base import compute

        wanted = list(channels)
        first = wanted[0] if wanted else 0
        # A run of neighbouring channels is one read (samples of a colour image are interleaved).
        if wanted == list(range(first, first + len(wanted))):
            parts = [self.data[t, first : first + len(wanted), z, y, x]]
        else:
            parts = [self.data[t, c : c + 1, z, y, x] for c in wanted]
        size = sum(int(part.size) for part in parts)
        try:
            scheduler = "threads" if size >= _THREADS_FROM else "synchronous"
            arrays = compute(*parts, scheduler=scheduler)  # type: ignore[no-untyped-call]
        except ImageError:
            raise
        except Exception as error:  # readers raise whatever their codec raises
            lacking = unsupported_feature(error)
            if lacking:
                raise unsupported(self.path or self.name, lacking) from error
            raise ImageError(
                f"{self.path or self.name} can't be read further, it is damaged or has changed "
                f"since it was opened ({_brief(error)}): copy or export it again."
            ) from error
        block: np.ndarray = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        return np.array(block, dtype=self.dtype)

    def load(self) -> np.ndarray:
        """Read all pixels, (T, C, Z, Y, X) in the native dtype.

        Raises
        ------
        ImageError
            As `block`.
        """
        everywhere = (slice(None),) * 3
        return np.stack(
            [self.block(t, range(self.n_channels), *everywhere) for t in range(self.n_timepoints)]
        )

    def channel_index(self, wanted: str | int) -> int:
        """Find a channel by name (exact, then whatever its case) or by number counted from 0.

        Raises
        ------
        ImageError
            If there is no such channel, or the name fits several; the message lists the channels.
        """
        if isinstance(wanted, str):
            same = [i for i, name in enumerate(self.channel_names) if name == wanted]
            folded = wanted.strip().casefold()
            same = same or [
                i for i, name in enumerate(self.channel_names) if name.strip().casefold() == folded
            ]
            if len(same) == 1:
                return same[0]
            if same:
                raise ImageError(
                    f"{self.name} has {len(same)} channels named {wanted}: choose one by its number "
                    f"({', '.join(str(i) for i in same)})."
                )
        try:
            index = int(wanted)
        except ValueError:
            index = -1
        if not 0 <= index < self.n_channels:
            listed = ", ".join(f"{i}: {name}" for i, name in enumerate(self.channel_names))
            raise ImageError(f"{self.name} has no channel {wanted}: choose one of its channels ({listed}).")
        return index

    @classmethod
    def from_array(
        cls,
        array: Any,
        axes: str = "YX",
        channel_names: Sequence[str] | None = None,
        pixel_size_um: PixelSize = UNKNOWN_SIZE,
        name: str = "array",
    ) -> Image:
        """Wrap an array, such as the data of a viewer layer that was never saved; pixels are not copied.

        Parameters
        ----------
        array : array-like
            NumPy, dask or Zarr array.
        axes : str
            Its axes in order: Y and X with any of T, C, Z; or S for red-green-blue(-alpha) samples.
        channel_names : sequence of str, optional
            One name for each channel.
        pixel_size_um : tuple
            (z, y, x) in micrometres.
        name : str
            Used in messages.

        Raises
        ------
        ImageError
            If the axes don't fit the array or its dtype is not a number.
        """
        data, samples = to_tczyx(array, axes, name)
        names = tuple(channel_names) if channel_names is not None else default_names(data.shape[1], samples)
        return cls(name, data, names, pixel_size_um)


def plausible_size(size: PixelSize) -> PixelSize:
    """Return a pixel size (z, y, x) in um without what no microscope image has."""
    z, y, x = size
    lateral = [each for each in (y, x) if each is not None]
    if any(not _SMALLEST_UM <= each <= _LARGEST_UM for each in lateral):
        return UNKNOWN_SIZE
    return (z if z is not None and _SMALLEST_UM <= z <= _LARGEST_STEP_UM else None), y, x


def to_tczyx(array: Any, axes: str, name: str) -> tuple[da.Array, int]:
    """Bring an array to axes ``TCZYX``: missing axes get size 1, colour samples S become channels.

    A fourth sample, and the second of two, is alpha and dropped.

    Returns
    -------
    data : dask.array.Array
        (T, C, Z, Y, X).
    samples : int
        Number of colour samples a pixel had in ``array``; 0 where it had none.

    Raises
    ------
    ImageError
        If the axes don't fit the array or its dtype is not a number.
    """
    import dask.array as da

    axes = axes.upper()
    data = array if isinstance(array, da.Array) else _lazy(array)
    unknown = set(axes) - set(AXES + "S")
    if unknown or len(set(axes)) != len(axes) or not {"Y", "X"} <= set(axes):
        raise ImageError(
            f"{name} has axes {axes}, but Y and X with any of T, C, Z are needed: reorder its axes."
        )
    if data.ndim != len(axes):
        raise ImageError(
            f"{name} has {data.ndim} axes, not the {len(axes)} that {axes} says: correct its axes."
        )
    dtype = pixel_dtype(data.dtype, name)
    samples = 0
    order = axes
    if "S" in axes:
        samples = int(data.shape[axes.index("S")])
        if samples in (2, 4):
            data = data[tuple(slice(samples - 1) if axis == "S" else slice(None) for axis in axes)]
        if "C" not in axes:
            order = axes.replace("S", "C")
    if "C" in axes and "S" in axes:
        rest = axes.replace("C", "").replace("S", "")
        data = da.transpose(data, [axes.index(axis) for axis in "CS" + rest])
        data = data.reshape((data.shape[0] * data.shape[1], *data.shape[2:]))
        order = "C" + rest
    data = da.transpose(data, [order.index(axis) for axis in AXES if axis in order])
    data = data[tuple(slice(None) if axis in order else None for axis in AXES)]
    return (data if data.dtype == dtype else data.astype(dtype)), samples


def _lazy(array: Any) -> da.Array:
    import dask.array as da

    array = array if hasattr(array, "dtype") and hasattr(array, "ndim") else np.asarray(array)
    # name=False: dask would otherwise hash every pixel of a NumPy array.
    lazy: da.Array = da.from_array(array, name=False)  # type: ignore[no-untyped-call]
    return lazy


def pixel_dtype(dtype: Any, name: str) -> np.dtype[Any]:
    """Return the dtype in which pixels are handed out: native byte order, bool as uint8.

    Raises
    ------
    ImageError
        If the pixels are not real numbers.
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind not in "iuf":
        raise ImageError(f"{name} has pixels of type {dtype}, not real numbers: save it as integer or float.")
    native: np.dtype[Any] = dtype.newbyteorder("=")
    return native


def default_names(n_channels: int, samples: int = 0) -> tuple[str, ...]:
    """Channel names for an image that brings none: the colours of RGB samples, else numbers from 0."""
    if samples in (3, 4) and n_channels == len(RGB):
        return RGB
    return tuple(f"Channel {i}" for i in range(n_channels))


def _brief(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:120]
