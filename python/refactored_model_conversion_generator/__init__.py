"""The package `subbyte` under another name: `python -m refactored_model_conversion_generator convert ...`."""
