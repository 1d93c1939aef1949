"""Planning of a training: what it will do and why, before anything is learned. Free of torch."""
