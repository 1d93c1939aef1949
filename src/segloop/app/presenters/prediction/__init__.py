"""State and decisions of the Prediction dock."""
