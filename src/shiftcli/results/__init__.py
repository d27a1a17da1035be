"""How a result is held: tables, provenance, citations."""
