"""A network over an image of any size: tile plan and engine."""
