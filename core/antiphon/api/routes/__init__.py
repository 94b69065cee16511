"""The operations of the core, one module per subject."""
