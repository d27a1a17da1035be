"""Where the networks are, how they get there, and their verification before use.

`manifest` says which networks a model has, and with which hashes; `store` where they lie and how
they come there, by `download`; `lookup` finds the ones to predict with. Nothing here loads a
network but `verify`, or runs anything that a manifest names.
"""

from shiftcli.weights.inventory import AvailableNetwork, Checked, list_networks, verify
from shiftcli.weights.lookup import VARIABLE, find_networks, folder_of, obtain
from shiftcli.weights.manifest import (
    Manifest,
    Model,
    Network,
    WeightFile,
    read_manifest,
    write_manifest,
)
from shiftcli.weights.store import cache_folder, packaged, remove

__all__ = [
    "VARIABLE",
    "AvailableNetwork",
    "Checked",
    "Manifest",
    "Model",
    "Network",
    "WeightFile",
    "cache_folder",
    "find_networks",
    "folder_of",
    "list_networks",
    "obtain",
    "packaged",
    "read_manifest",
    "remove",
    "verify",
    "write_manifest",
]
