"""What a TIFF says about its channels and pixel size: OME-XML, ImageJ, tifffile's JSON, resolution tags."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from segloop.core.units import micrometres
from segloop.images.image import UNKNOWN_SIZE, PixelSize, plausible_size

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

_INCH, _CENTIMETER, _MILLIMETER, _MICROMETER = 2, 3, 4, 5
_RESOLUTION_UNITS = {_INCH: 25400.0, _CENTIMETER: 1e4, _MILLIMETER: 1e3, _MICROMETER: 1.0}


def describe(tiff: TiffFile, index: int) -> tuple[list[str], PixelSize]:
    """Return channel names (empty: there are none) and pixel size (z, y, x) in um of series ``index``.

    Sizes that no microscope image has count as unknown.
    """
    names, size = _described(tiff, index)
    return names, plausible_size(size)


def _described(tiff: TiffFile, index: int) -> tuple[list[str], PixelSize]:
    series = tiff.series[index]
    if series.kind == "ome":
        return _from_ome(tiff, index)
    if tiff.is_imagej:
        return _imagej_names(tiff, series), _imagej_size(tiff, series)
    if tiff.shaped_metadata:
        extra = tiff.shaped_metadata[min(index, len(tiff.shaped_metadata) - 1)]
        size = tuple(
            micrometres(extra.get(f"PhysicalSize{a}"), extra.get(f"PhysicalSize{a}Unit")) for a in "ZYX"
        )
        if any(size):
            return _json_names(extra), (size[0], size[1], size[2])
        return _json_names(extra), _tag_size(series)
    return [], _tag_size(series)


def _json_names(extra: dict[str, Any]) -> list[str]:
    channel = extra.get("Channel")
    names = channel.get("Name") if isinstance(channel, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def _from_ome(tiff: TiffFile, index: int) -> tuple[list[str], PixelSize]:
    try:
        root = ElementTree.fromstring(tiff.ome_metadata or "")
    except ElementTree.ParseError:
        return [], UNKNOWN_SIZE
    images = root.findall("{*}Image")
    if len(images) != len(tiff.series):
        # tifffile skips images without pixels; names tell then which is which.
        images = [i for i in images if i.get("Name") == tiff.series[index].name]
        index = 0
    pixels = images[index].find("{*}Pixels") if index < len(images) else None
    return ([], UNKNOWN_SIZE) if pixels is None else describe_ome(pixels)


def describe_ome(pixels: Any) -> tuple[list[str], PixelSize]:
    """Return channel names (empty: none) and pixel size (z, y, x) in um of an OME ``Pixels`` element."""
    names = [channel.get("Name") or "" for channel in pixels.findall("{*}Channel")]
    z, y, x = (
        micrometres(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        for axis in "ZYX"
    )
    return (names if all(names) else []), plausible_size((z, y, x))


def _imagej_names(tiff: TiffFile, series: TiffPageSeries) -> list[str]:
    labels = (tiff.imagej_metadata or {}).get("Labels")
    sizes = dict(zip(series.axes, series.shape, strict=True))
    # Labels are per plane, so they name channels only where channels are all there is.
    if not isinstance(labels, list) or len(labels) != sizes.get("C", 0):
        return []
    names = [str(label).strip() for label in labels]
    return names if all(names) and len(set(names)) == len(names) else []


def _imagej_size(tiff: TiffFile, series: TiffPageSeries) -> PixelSize:
    metadata = tiff.imagej_metadata or {}
    unit = str(metadata.get("unit", ""))
    y, x = (micrometres(_pixel_length(series, axis), unit) for axis in "YX")
    return micrometres(metadata.get("spacing"), unit), y, x


def _tag_size(series: TiffPageSeries) -> PixelSize:
    unit = series.keyframe.tags.get("ResolutionUnit")
    factor = _RESOLUTION_UNITS.get(int(unit.value)) if unit is not None else None
    lengths = [_pixel_length(series, axis) for axis in "YX"]
    if factor is None or None in lengths:
        return UNKNOWN_SIZE
    y, x = (length * factor for length in lengths if length is not None)
    return None, y, x


def _pixel_length(series: TiffPageSeries, axis: str) -> float | None:
    tag = series.keyframe.tags.get(f"{axis}Resolution")
    with contextlib.suppress(AttributeError, TypeError, ValueError, ZeroDivisionError):
        pixels, units = tag.value if tag is not None else (0, 0)
        return float(units) / float(pixels)
    return None
