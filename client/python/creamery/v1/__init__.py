"""The messages of `proto/creamery/v1`, generated when the package is built (see setup.py)."""
