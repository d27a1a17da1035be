"""Chemiscope data sets, against what the chemiscope package itself makes, where it is there."""

import json
from dataclasses import replace

import pytest
from ase import Atoms

from shiftcli.errors import UsageError
from shiftcli.views import render


def document_of(results):
    return json.loads(render(results, "chemiscope"), parse_constant=pytest.fail)


def test_atoms_environments_and_properties_belong_together(predicted, urea, molecule):
    results = predicted(urea, molecule, references="H:30,C:170,N:186,O:205")
    document = document_of(results)
    crystal, alone = document["structures"]
    assert (crystal["size"], alone["size"]) == (16, 4)
    assert crystal["cell"] == urea.cell.ravel().tolist()
    assert "cell" not in alone
    environments = document["environments"]
    assert [(e["structure"], e["center"]) for e in environments] == [
        *((0, k) for k in range(16)), *((1, k) for k in range(4)),
    ]  # fmt: skip
    properties = document["properties"]
    assert set(properties) == {
        "file", "name", "labels", "species", "multiplicity",
        "MS_shielding", "MS_shielding_uncertainty", "MS_shielding_uncertainty95", "MS_shift",
    }  # fmt: skip
    assert all(len(p["values"]) == 20 for p in properties.values())
    assert properties["labels"]["values"] == [*urea.labels, *molecule.labels]
    assert properties["MS_shielding"]["units"] == "ppm"
    for row in results.predictions[0].sites:
        for atom in row.site.atoms:
            assert properties["MS_shielding"]["values"][atom] == round(row.shielding, 2)


def test_what_some_atoms_lack_is_left_out(results):
    prediction = results.predictions[0]
    document = document_of(results)
    assert "MS_shift" not in document["properties"]  # no reference for N and O
    part = replace(results, predictions=[replace(prediction, sites=prediction.sites[3:])])
    assert {e["center"] for e in document_of(part)["environments"]} == set(range(8, 16))
    assert "MS_shift" in document_of(part)["properties"]


def test_nothing_to_show(predicted, results):
    prediction = replace(results.predictions[0], sites=())
    with pytest.raises(UsageError, match="no atom of these nuclei"):
        render(replace(results, predictions=[prediction]), "chemiscope")
    assert render(predicted(), "chemiscope") == ""


def test_it_is_what_chemiscope_makes(predicted, urea, molecule):
    chemiscope = pytest.importorskip("chemiscope")
    document = document_of(predicted(urea, molecule))
    atoms = [
        Atoms(c.elements.tolist(), c.positions, cell=c.cell, pbc=c.cell is not None)
        for c in (urea, molecule)
    ]
    made = chemiscope.create_input(
        structures=atoms,
        properties={k: {**v, "values": list(v["values"])} for k, v in
                    document["properties"].items()},
        environments=[(e["structure"], e["center"], e["cutoff"])
                      for e in document["environments"]],
        metadata=document["meta"],
        settings=document["settings"],
    )  # fmt: skip
    assert json.loads(json.dumps(made)) == document
