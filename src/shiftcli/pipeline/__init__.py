"""Many structures: processes, shards, and a folder that a later run goes on with."""
