"""Small widgets that the three docks share; each shows what it is told and emits what the user wants."""
