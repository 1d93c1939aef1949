"""The docks: the only place that imports Qt or napari."""
