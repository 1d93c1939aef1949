"""A trained model: one folder or zip with all that is needed to apply it. Importing it is light."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from segloop.artifacts.model.bundled import bundled_folder
from segloop.artifacts.model.card import (
    ModelCard,
    NormalisationCard,
    RecipeCard,
    TargetCard,
    card_digest,
    card_name,
    parse_card,
)
from segloop.artifacts.model.file_names import (
    CARD,
    FILES,
    TEST_INPUT,
    TEST_OUTPUT,
    WEIGHTS,
    ZOO_DESCRIPTIONS,
)
from segloop.artifacts.model.files import (
    Files,
    FolderFiles,
    ZipFiles,
    clear_abandoned_models,
    new_zip,
    unless_taken,
    write_zip,
)
from segloop.core.atomic import atomic_path
from segloop.core.errors import ModelError
from segloop.core.file_errors import writing
from segloop.core.own_entries import require_own_entries
from segloop.core.own_files import parse_json
from segloop.core.paths import is_file, is_folder
from segloop.core.user_folders import models_folder
from segloop.networks import NetworkSpec
from segloop.targets import ParameterSet, Target, make_target

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "Model",
    "ModelCard",
    "NormalisationCard",
    "RecipeCard",
    "TargetCard",
    "find_model",
    "installed_models",
]

logger = logging.getLogger(__name__)

_CARD_DIGEST = "segloop_card"
"""Name of the card's hash among the metadata of the weights."""

_TRIES = 5


class Model:
    """A model on disk; weights are read only when `network` is called.

    Attributes
    ----------
    path : Path
        The folder or zip.
    card : ModelCard
        What it is and how to apply it; that of the newer model once `network`, `verify` or `export` found
        that a training has saved one in the same folder.
    """

    def __init__(self, path: Path, card: ModelCard) -> None:
        self.path = path
        self.card = card

    @classmethod
    def load(cls, model: str | os.PathLike[str]) -> Self:
        """Open a model by folder, zip, run, or the name of an installed one.

        Raises
        ------
        ModelError
            If there is none, or it is damaged or of a newer version.
        """
        path = find_model(model)
        return cls(path, parse_card(_files(path).read(CARD), str(path)))

    @property
    def network_spec(self) -> NetworkSpec:
        """The network without its weights."""
        return NetworkSpec.from_dict(self.card.network)

    @property
    def parameters(self) -> ParameterSet:
        """The parameters of its target, unless the user chooses others."""
        return self.target().parameters_type.from_values(self.card.parameters, "parameters")

    @property
    def sha256(self) -> str:
        """Hash of the weights, as provenance names the model."""
        return self.card.weights_sha256

    def target(self) -> Target:
        """Return the target that turns maps into labels."""
        target = self.card.target
        return make_target(
            target.name, target.options, dims=self.network_spec.dims, voxel_size=self.card.pixel_size_um
        )

    def network(self) -> nn.Module:
        """Build the network with its weights, in evaluation mode on the CPU.

        Raises
        ------
        ModelError
            If the weights or the card were changed or are missing, or the weights do not fit the network.
        """
        return self._build(self._read()[WEIGHTS])

    def _build(self, content: bytes) -> nn.Module:
        from segloop.artifacts.model.building import build_with_weights

        return build_with_weights(self.network_spec, content, self.path)

    def _read(self, *names: str) -> dict[str, bytes]:
        """Read the weights and other files; all those of the newer model if one takes its place meanwhile."""
        failure = ModelError(f"The weights of the model {self.path} are damaged: get a new copy of it.")
        for _ in range(_TRIES):
            try:
                files = _files(self.path)
                parts = {name: files.read(name) for name in (WEIGHTS, *names)}
                content = files.read(CARD)
                card = parse_card(content, str(self.path))
            except ModelError as error:
                if not isinstance(error.__cause__, OSError):
                    raise
                # A folder that is being replaced is not there for an instant.
                failure = error
                time.sleep(0.05)
                continue
            if card.weights_sha256 == self.card.weights_sha256:
                if hashlib.sha256(parts[WEIGHTS]).hexdigest() == card.weights_sha256:
                    _require_same_card(content, parts[WEIGHTS], self.path)
                    return parts
                break
            self.card = card
        raise failure

    def test_input(self) -> NDArray[Any]:
        """Return the pixels (C, [Z,] Y, X) of the stored test.

        Raises
        ------
        ModelError
            If the model is damaged.
        """
        from segloop.artifacts.model import self_test

        return self_test.read_test(self.card, self._read(TEST_INPUT, TEST_OUTPUT), self.path)[0]

    def verify(self) -> None:
        """Run the stored test, from raw pixels on, and compare with the stored output.

        Raises
        ------
        ModelError
            If the model is damaged or computes something else here than where it was made.
        """
        from segloop.artifacts.model import self_test
        from segloop.artifacts.model.building import first_line

        parts = self._read(TEST_INPUT, TEST_OUTPUT)
        test_input, expected = self_test.read_test(self.card, parts, self.path)
        network = self._build(parts[WEIGHTS])
        try:
            output = self_test.run_test(self.card, network, test_input)
        except Exception as error:  # a network may refuse its input in its own way
            raise ModelError(
                f"The model {self.path} can't be run ({first_line(error)}): get a new copy of it."
            ) from error
        self_test.require_expected(self.path, output, expected)

    @staticmethod
    def save(
        folder: str | os.PathLike[str],
        card: ModelCard,
        network: nn.Module,
        test_input: NDArray[Any],
    ) -> Model:
        """Write a model folder, atomically; an older model there is replaced.

        Parameters
        ----------
        folder : path
            Its parent must exist.
        card : ModelCard
            Its ``weights_sha256`` is filled in. A hash of it is stored with the weights, so that no card
            that predicts something else can be put beside them.
        network : Module
            In evaluation mode, in 32 bit and on the CPU.
        test_input : (C, [Z,] Y, X), any real type
            Raw pixels of the channels of the card's recipe; sizes are multiples of the network's stride. They
            are stored with the network's output for them.

        Raises
        ------
        ModelError
            If the card contradicts itself or the test, or the folder can't be written.
        """
        import safetensors.torch

        from segloop.artifacts.model import self_test

        self_test.require_fit(card, test_input)
        test_output = self_test.run_test(card, network, test_input)
        self_test.require_fit(card, test_input, test_output)
        digest = card_digest(card.model_dump(mode="json"))
        # One entry only: safetensors writes several in any order, and equal models are to have equal hashes.
        metadata = {_CARD_DIGEST: digest}
        content = safetensors.torch.save(_without_aliases(network.state_dict()), metadata)
        card = card.model_copy(update={"weights_sha256": hashlib.sha256(content).hexdigest()})
        parts = {
            CARD: (card.model_dump_json(indent=2) + "\n").encode(),
            WEIGHTS: content,
            TEST_INPUT: self_test.array_bytes(test_input),
            TEST_OUTPUT: self_test.array_bytes(test_output),
        }
        _write_folder(Path(folder), parts)
        return Model(Path(folder), card)

    def export(self, file: str | os.PathLike[str]) -> Path:
        """Write the model as one zip file, atomically.

        Raises
        ------
        ModelError
            If the file exists or can't be written, or the model is damaged.
        """
        path, taken = new_zip(file)
        parts = self._read(*FILES)
        write_zip(path, {name: parts[name] for name in FILES}, taken)
        return path

    @classmethod
    def import_zip(cls, file: str | os.PathLike[str], into: str | os.PathLike[str] | None = None) -> Self:
        """Verify a model zip and unpack it into a folder of its own, with the name of the zip.

        Parameters
        ----------
        file : path
            A zip that `export` wrote, maybe by a stranger: nothing in it is run, and only the four files of a
            model are taken, within size limits.
        into : path, optional
            Folder to create the model's folder in; the user's model folder if not given.

        Raises
        ------
        ModelError
            If it is not a model zip, is damaged, does not verify, has a name that no model can have, or a
            model of that name is there already.
        """
        source = cls(Path(file), parse_card(ZipFiles(Path(file)).read(CARD), str(file)))
        return source.install(file, into)

    def install(self, file: str | os.PathLike[str], into: str | os.PathLike[str] | None = None) -> Self:
        """Verify the model and copy it into a folder of its own, with the name of a file.

        Parameters
        ----------
        file : path
            What is imported: a file, whose suffix is left out, or a folder.
        into : path, optional
            As in `import_zip`.

        Raises
        ------
        ModelError
            As in `import_zip`.
        """
        destination, taken = place_for(file, into)
        self.verify()
        parts = self._read(*FILES)
        with writing(destination.parent, ModelError):
            destination.parent.mkdir(parents=True, exist_ok=True)
        clear_abandoned_models(destination.parent)
        _write_folder(destination, parts, taken)
        return type(self)(destination, self.card)


def place_for(
    file: str | os.PathLike[str], into: str | os.PathLike[str] | None = None
) -> tuple[Path, ModelError]:
    """Return the folder that an imported model gets, and what to raise if it is taken.

    Raises
    ------
    ModelError
        If no model can have the name of the file, or a model of that name is there already.
    """
    name = Path(file).name if is_folder(file) else Path(file).stem
    if card_name(name) != name or name.startswith("."):
        raise ModelError(f"No model can have the name '{name}': rename {file} first.")
    destination = (Path(into) if into is not None else models_folder()) / name
    taken = ModelError(f"{destination} already exists: delete it first if the new model should replace it.")
    if os.path.lexists(destination):
        raise taken
    return destination, taken


def installed_models() -> tuple[Model, ...]:
    """Return the models that can be chosen by name: the user's, then those that come with Segloop.

    A model of the user takes the place of a bundled one of the same name. What can't be read is left out.
    """
    own = _models_in(models_folder())
    names = {model.path.stem for model in own}
    return (*own, *(model for model in _models_in(bundled_folder()) if model.path.name not in names))


def _models_in(folder: Path) -> tuple[Model, ...]:
    models = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        # A link to nowhere would be looked up by its name, which lists the installed models.
        if path.name.startswith(".") or not path.exists():
            continue
        try:
            models.append(Model.load(path))
        except Exception:
            # Other things in that folder are passed over, so that they do not hide the models.
            logger.debug("%s is not listed as a model", path, exc_info=True)
    return tuple(models)


def find_model(model: str | os.PathLike[str]) -> Path:
    """Return the folder or zip of a model given by path, by run, or by the name of an installed one.

    Raises
    ------
    ModelError
        If there is none.
    """
    candidates = [Path(model)]
    name = os.fspath(model)
    if name and Path(name).name == name and name not in (".", ".."):
        candidates += [models_folder() / name, models_folder() / f"{name}.zip", bundled_folder() / name]
    for path in candidates:
        if is_file(path):
            return path
        for folder in (path, path / "model"):
            if is_file(folder / CARD):
                if folder != path:
                    require_own_entries(path, (), [folder.name], ModelError)
                return folder
    if any(is_file(Path(model) / description) for description in ZOO_DESCRIPTIONS):
        raise ModelError(
            f"{name} is a package of the BioImage Model Zoo: import it first by `segloop model import`."
        )
    if is_folder(model):
        raise ModelError(
            f"The folder {name} holds no model ({CARD} is missing); "
            "a run has one as soon as its first validation is done."
        )
    installed = ", ".join(found.path.name for found in installed_models())
    raise ModelError(
        f"There is no model {name}: choose a model folder, a run, a .zip file, "
        f"or the name of an installed model ({installed})."
    )


def _files(path: Path) -> Files:
    return FolderFiles(path) if path.is_dir() else ZipFiles(path)


def _write_folder(folder: Path, parts: Mapping[str, bytes], taken: ModelError | None = None) -> None:
    """Write a model folder, atomically; with ``taken``, which is raised if the folder is there already."""
    with (
        writing(folder, ModelError),
        unless_taken(taken),
        atomic_path(folder, exclusive=taken is not None) as partial,
    ):
        partial.mkdir()
        for name, content in parts.items():
            (partial / name).write_bytes(content)


def _require_same_card(card: bytes, weights: bytes, path: Path) -> None:
    """Raise `ModelError` if the card is not the one that the weights were saved with."""
    saved = _weights_metadata(weights).get(_CARD_DIGEST)
    if saved is not None and saved != card_digest(parse_json(card)):  # older weights do not tell
        raise ModelError(
            f"{CARD} of the model {path} was changed after the model was saved: get a new copy of it."
        )


def _weights_metadata(content: bytes) -> dict[str, Any]:
    """Return the metadata of safetensors weights; empty if they have none or are damaged."""
    length = int.from_bytes(content[:8], "little")
    try:
        metadata = parse_json(content[8 : 8 + length])["__metadata__"]
    except (ValueError, KeyError, TypeError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _without_aliases(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Keep the first name of tensors that share their memory, because safetensors stores each value once."""
    seen: set[tuple[Any, ...]] = set()
    kept = {}
    for name, tensor in state_dict.items():
        place = (tensor.data_ptr(), tensor.shape, tensor.stride())
        if tensor.numel() == 0 or place not in seen:
            seen.add(place)
            kept[name] = tensor.detach().cpu().clone().contiguous()
    return kept
