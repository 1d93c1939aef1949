"""Use cases that the docks and the command line share; job control and workspace; no Qt."""
