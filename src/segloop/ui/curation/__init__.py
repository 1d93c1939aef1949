"""The Curation dock: look at samples, decide on them, draw regions."""
