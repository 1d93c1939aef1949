"""Planning, patch sampling, augmentation, fitting."""
