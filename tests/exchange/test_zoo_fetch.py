"""Packages are fetched from a server that the test starts, as the zoo's is: one folder for each id."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from segloop.app.importing import import_model
from segloop.core.errors import ModelError
from segloop.exchange.zoo_fetch import fetch_from_zoo

pytest.importorskip("bioimageio.core", reason='needs the packages of the extra "zoo"')

from zoo_packages import complete_package, description, onnx_file, random_weights

# bioimageio.core leaves files open, and warns about its own use of its libraries.
pytestmark = pytest.mark.filterwarnings("ignore")


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serve the folder ``zoo``; return the address."""
    (tmp_path / "zoo").mkdir()
    handler = partial(Silent, directory=str(tmp_path / "zoo"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def fetch(server: str, tmp_path: Path, package: str) -> subprocess.CompletedProcess[str]:
    """Run the command with nothing but the server to ask."""
    return subprocess.run(
        [sys.executable, "-m", "segloop", "model", "fetch", package, "--to", str(tmp_path / "packages")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ
        | {
            "BIOIMAGEIO_COLLECTION_HTTP_PATTERN": server + "/{bioimageio_id}/rdf.yaml",
            "BIOIMAGEIO_ID_MAP": server + "/id_map.json",
            "BIOIMAGEIO_ID_MAP_DRAFT": server + "/id_map_draft.json",
            "BIOIMAGEIO_CACHE_PATH": str(tmp_path / "cache"),
            "BIOIMAGEIO_HTTP_TIMEOUT": "3",
            "no_proxy": "127.0.0.1",
        },
    )


def test_a_package_is_fetched_and_can_be_imported_without_the_server(server: str, tmp_path: Path) -> None:
    rdf = description(
        [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}], [{"id": "sigmoid"}]
    )
    given = np.random.default_rng(4).gamma(3, 300, (1, 1, 16, 16)).astype(np.uint16)
    complete_package(tmp_path / "zoo" / "friendly-fish", rdf, onnx_file(random_weights()), given)

    fetched = fetch(server, tmp_path, "friendly-fish")

    assert fetched.returncode == 0, fetched.stderr
    package = tmp_path / "packages" / "friendly-fish.zip"
    assert fetched.stdout == f"Fetched: {package}\n"
    model = import_model(package, tmp_path / "models")
    assert model.card.provenance["package"]["name"] == "Nuclei of others"
    again = fetch(server, tmp_path, "friendly-fish")
    assert "already exists" in again.stderr


def test_an_id_that_is_unknown_is_refused_in_one_line(server: str, tmp_path: Path) -> None:
    missing = fetch(server, tmp_path, "no-such-fish")
    assert missing.returncode == 1
    assert missing.stderr.startswith("Error: The package no-such-fish can't be fetched (")
    assert missing.stderr.endswith("check its id, and that this computer is connected to the internet.\n")
    assert missing.stderr.count("\n") == 1
    assert not (tmp_path / "packages").exists()


@pytest.mark.parametrize("name", ["../fish", "file:///etc/passwd", "", "a b", "https://example.org/rdf.yaml"])
def test_what_is_no_id_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="is no id of a package"):
        fetch_from_zoo(name, tmp_path)
