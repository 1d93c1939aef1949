"""Labels to network targets and network outputs back to labels, one module a target."""
