"""Config to torch module: the U-Net family."""
