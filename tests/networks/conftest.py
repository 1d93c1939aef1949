"""The fixtures that build networks are shared by the tests of networks and of inference."""

from network_fixtures import *  # noqa: F403
