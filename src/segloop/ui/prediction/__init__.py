"""The Prediction dock."""
