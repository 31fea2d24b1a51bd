"""The coaching partner: what it is told, by which ways, and what it tells us."""
