"""State and decisions of the Training dock."""
