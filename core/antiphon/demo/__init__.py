"""The demo building: what `antiphon run --demo` puts into an empty server."""
