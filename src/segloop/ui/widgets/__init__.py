"""Small widgets that the three docks share; each shows what it is given and emits what the user wants."""
