"""Carries the program `subbyte`. Run it with `python -m refactored_model_conversion_generator`."""
