"""The nouns that cross stages: curated dataset, run, model, prediction; versioned, validated, atomic."""
