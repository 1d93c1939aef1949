"""The job: a training or a prediction in a process of its own, known by its folder."""
