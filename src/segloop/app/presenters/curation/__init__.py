"""What the Curation dock knows and decides, without Qt."""
