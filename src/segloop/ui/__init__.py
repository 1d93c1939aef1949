"""The docks in napari: the only room that imports Qt or napari."""
