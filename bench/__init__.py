"""Benchmarks: figures beside their limit or peer. `python -m bench` lists and runs them."""
