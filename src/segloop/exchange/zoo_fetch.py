"""Packages of the BioImage Model Zoo from the internet, kept as zip files."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from segloop.artifacts.model.files import new_zip, unless_taken
from segloop.core.atomic import atomic_path
from segloop.core.context import Context
from segloop.core.errors import ModelError
from segloop.core.file_errors import writing
from segloop.exchange.quiet import quiet, require_packages
from segloop.exchange.zoo_package import RefusalError, ZooPackage

_ID = re.compile(r"[\w.-]+(/[\w.-]+)*")


def fetch_from_zoo(package_id: str, folder: str | os.PathLike[str], context: Context | None = None) -> Path:
    """Download a package and keep it as a zip file, which `import_from_zoo` reads, here or elsewhere.

    Parameters
    ----------
    package_id : str
        As the zoo names it, in its address, maybe with a version.
    folder : path
        Where to put the file, which is named after the package; created if missing.
    context : Context, optional
        Receives progress, and may cancel before and after the download.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelError
        If it can't be downloaded, has no ONNX weights, or the file exists or can't be written.
    Cancelled
        If the context asks to stop.
    """
    context = context or Context()
    if not _ID.fullmatch(package_id) or ".." in package_id:
        raise ModelError(f"'{package_id[:100]}' is no id of a package: copy it from bioimage.io.")
    require_packages("bioimageio.core", "onnx", "onnxruntime")
    path, taken = new_zip(Path(folder) / f"{package_id.replace('/', '-')}.zip")
    context.progress(0, 1, f"Fetching {package_id}")
    with tempfile.TemporaryDirectory(prefix="segloop-", ignore_cleanup_errors=True) as temporary:
        downloaded = Path(temporary) / "package.zip"
        _download(package_id, downloaded)
        context.check()
        try:
            ZooPackage(downloaded).weights()
        except RefusalError as refused:
            raise ModelError(f"The package {package_id} can't be used: {refused}.") from refused
        with writing(path, ModelError), unless_taken(taken):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path, exclusive=True) as partial:
                shutil.copyfile(downloaded, partial)
    return path


def _download(package_id: str, path: Path) -> None:
    from bioimageio.spec import save_bioimageio_package

    with quiet():
        try:
            save_bioimageio_package(package_id, output_path=path, weights_priority_order=["onnx"])
        except Exception as error:  # of the network, and of what came over it
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise ModelError(
                f"The package {package_id} can't be fetched ({reason}): check its id, and that this computer "
                "is connected to the internet."
            ) from error
