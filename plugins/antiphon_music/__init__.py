"""The bundled music library: folders, files, tags, covers, loudness."""
