"""Results in a notebook: short words, a table, a data frame."""

from dataclasses import replace

import pytest

import shiftcli
from shiftcli.notebook import Result, Tabular
from shiftcli.results.look import Look, parse_size
from shiftcli.results.tables import Column, Table


def test_cells_are_escaped_and_empty_where_nothing_is_known():
    columns = (Column("labels"), Column("shift", unit="ppm", decimals=1), Column("flags"))
    table = Table("sites", columns, [("<b>", float("nan"), ("a", "b")), ("C1", 1.25, ())])
    html = table._repr_html_()
    assert "&lt;b&gt;" in html
    assert "nan" not in html
    assert "<th>shift/ppm</th>" in html
    assert "<td>a b</td>" in html
    assert table.to_dict()["shift/ppm"][1] == 1.25


@pytest.fixture(scope="module")
def results(urea, predictor, tmp_path_factory):
    shifts = (
        tmp_path_factory.mktemp("a-folder-with-a-name-as-long-as-those-of-clusters" * 3) / "a.csv"
    )
    shifts.write_text("site,species,shift\n,1H,7.1\n,1H,6.2\n")
    experiment = shiftcli.read_experiment(shifts)
    prediction = predictor.predict(urea)
    compared = shiftcli.compare(shiftcli.average(prediction), experiment)
    return {
        "crystal": urea,
        "predictor": predictor,
        "prediction": prediction,
        "results": shiftcli.Results(predictor, [prediction]),
        "comparison": compared,
        "ranking": shiftcli.rank([prediction], experiment),
        "spectrum": shiftcli.simulate_spectra([prediction])[0],
        "correlation": shiftcli.correlate_nuclei([prediction], ("N", "H"))[0],
    }


def test_words_are_short(results):
    for name, result in results.items():
        text = repr(result)
        assert text.startswith("<"), name
        assert len(text) < 160, text
        assert "array(" not in text
    assert "RMSE" in repr(results["comparison"])
    assert "urea" in repr(results["crystal"])
    assert "1H" in repr(results["predictor"])


def test_tables_have_the_columns_of_the_files(results):
    tabular = {name: result for name, result in results.items() if isinstance(result, Tabular)}
    assert set(tabular) == {"prediction", "results", "comparison", "ranking", "spectrum",
                            "correlation"}  # fmt: skip
    pandas = pytest.importorskip("pandas")
    for name, result in tabular.items():
        assert result._repr_html_().count("<tr>") == 1 + len(result.to_dataframe())
        assert isinstance(result.to_dataframe(), pandas.DataFrame), name
    assert results["comparison"].to_dict()["measured"] == [7.1, 6.2]
    assert results["ranking"].to_dict()["family_probability"] == pytest.approx([1.0])
    assert len(results["results"].table(results["prediction"]).to_dataframe()) == 5
    many = replace(results["results"], predictions=[results["prediction"]] * 50)
    assert list(many.to_dict()["labels"]) == 50 * results["prediction"].to_dict()["labels"]
    assert many._repr_html_().endswith("<p>50 rows more: to_dataframe()</p>")


def test_every_table_of_a_result_is_a_picture(results):
    figure = pytest.importorskip("matplotlib.figure")
    look = Look(parse_size("85mm"))
    for name, result in results.items():
        if isinstance(result, Result):
            drawn = result.plot(look)
            assert isinstance(drawn, figure.Figure), name
            assert drawn.get_size_inches()[0] == pytest.approx(85 / 25.4)
    assert results["comparison"].plot().axes[0].get_title().startswith("¹H")
