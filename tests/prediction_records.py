"""A record of a prediction, as `segloop predict` writes it beside its outputs."""

from segloop.artifacts.prediction.provenance import ModelUsed, OutputFile, Provenance


def make_record(outputs: dict[str, str], pending: tuple[str, ...] = ()) -> Provenance:
    """Return the record of outputs, given as names of files with their kinds."""
    parameters: dict[str, bool | int | float | str] = {"foreground": 0.5, "min_size": 10, "splitting": 0.1}
    return Provenance(
        image="a.tif",
        input=None,
        model=ModelUsed(
            name="nuclei",
            path="/models/nuclei",
            weights_sha256="00",
            target="instance",
            options={},
            dimensions=2,
            pixel_size_um=(None, 0.5, 0.5),
            parameters=parameters,
        ),
        channels=["DAPI"],
        pixel_size_um=(None, 0.5, 0.5),
        config={},
        parameters=parameters,
        device="cpu",
        outputs=[
            OutputFile(kind=kind, path=name, axes="YX", shape=[4, 5], dtype="uint8")
            for name, kind in outputs.items()
        ],
        pending=list(pending),
        created="2026-01-01T00:00:00+00:00",
        segloop_version="0.1.0",
        packages={"torch": "2.13.0"},
    )
