"""What this computer can do: devices, memory, readers, Qt, versions; what is missing and how to get it."""

from __future__ import annotations

import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from segloop.app.workspace import Workspace
from segloop.core import user_folders
from segloop.core.memory import free_memory

_CORE = (
    "napari-segloop",
    "torch",
    "monai",
    "lightning",
    "hydra-core",
    "bioio",
    "numpy",
    "scikit-image",
    "zarr",
)
_GUI = ("napari", "qtpy", "magicgui", "superqt", "pyqtgraph")
_QT = ("PyQt5", "PyQt6", "PySide6")
_READERS = {
    "bioio-ome-tiff": "OME-TIFF",
    "bioio-tifffile": "TIFF, ImageJ hyperstacks",
    "bioio-ome-zarr": "OME-Zarr",
    "bioio-imageio": "PNG, JPEG",
    "bioio-czi": "Zeiss CZI",
    "bioio-nd2": "Nikon ND2",
    "bioio-lif": "Leica LIF",
}


def examine() -> dict[str, Any]:
    """Look at this computer; takes a few seconds because torch is imported.

    Returns
    -------
    dict
        Plain values with the keys ``system``, ``devices``, ``packages``, ``readers``, ``gui``, ``folders``
        and ``advice`` (sentences, each with the line that mends it; empty where all is well).
    """
    readers = {name: {"formats": formats, "version": _version(name)} for name, formats in _READERS.items()}
    gui = {name: _version(name) for name in (*_GUI, *_QT)}
    devices = _devices()
    return {
        "system": {
            "platform": platform.platform(),
            "python": platform.python_version(),
            "executable": sys.executable,
            "cpu_cores": psutil.cpu_count(logical=False) or psutil.cpu_count(),
            "memory_gb": _gb(psutil.virtual_memory().total),
            "memory_free_gb": _gb(free_memory()),
        },
        "devices": devices,
        "packages": {name: _version(name) for name in _CORE},
        "readers": readers,
        "gui": gui,
        "folders": _folders(),
        "advice": _advice(devices, readers, gui),
    }


def describe(facts: dict[str, Any]) -> list[str]:
    """Return the facts of `examine` as readable lines."""
    system = facts["system"]
    lines = [
        f"System     {system['platform']}, Python {system['python']}",
        f"Computer   {system['cpu_cores']} CPU cores, "
        f"{system['memory_free_gb']} of {system['memory_gb']} GB memory free",
    ]
    lines += [
        f"Device     {device['kind']}: {device['name']}"
        + (f", {device['memory_free_gb']} of {device['memory_gb']} GB free" if "memory_gb" in device else "")
        for device in facts["devices"]
    ]
    lines += [f"Package    {name} {number or 'missing'}" for name, number in facts["packages"].items()]
    lines += [
        f"Reader     {name} {entry['version'] or 'not installed'} ({entry['formats']})"
        for name, entry in facts["readers"].items()
    ]
    lines += [f"Window     {name} {number}" for name, number in facts["gui"].items() if number]
    lines += [
        f"Folder     {name}: {entry['path']} ({entry['free_gb']} GB free)"
        for name, entry in facts["folders"].items()
    ]
    return [*lines, "", *(facts["advice"] or ["Everything that Segloop needs is installed."])]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _gb(size: float) -> float:
    return round(size / 1e9, 1)


def _devices() -> list[dict[str, Any]]:
    devices: list[dict[str, Any]] = [{"kind": "cpu", "name": platform.processor() or platform.machine()}]
    try:
        import torch
    except ImportError:
        return devices
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        devices.append({"kind": "cuda", "name": name, "memory_free_gb": _gb(free), "memory_gb": _gb(total)})
    if torch.backends.mps.is_available():
        devices.append({"kind": "mps", "name": "Apple GPU"})
    return devices


def _folders() -> dict[str, dict[str, Any]]:
    folders = {"workspace": Workspace.last_path(), "user data": user_folders.data_folder()}
    return {
        name: {"path": str(path), "free_gb": _gb(shutil.disk_usage(_existing(path)).free)}
        for name, path in folders.items()
    }


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _advice(
    devices: list[dict[str, Any]], readers: dict[str, dict[str, Any]], gui: dict[str, str | None]
) -> list[str]:
    advice = []
    if all(device["kind"] == "cpu" for device in devices):
        advice.append(
            "No GPU is usable: training and prediction run on the CPU, which is slower. With an NVIDIA GPU, "
            "install torch as https://pytorch.org/get-started shows."
        )
    if gui["napari"] is None or not any(gui[name] for name in _QT):
        advice.append('The docks need napari and Qt: pip install "napari-segloop[all]"')
    advice += [
        f"To read {entry['formats']} files: pip install {name}"
        for name, entry in readers.items()
        if entry["version"] is None
    ]
    return advice
