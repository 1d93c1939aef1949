"""What the docks know and decide, as evented state without Qt."""
