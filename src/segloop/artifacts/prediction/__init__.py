"""The prediction: outputs beside the record of where they come from."""
