from importlib.metadata import version

from segloop.app.doctor import describe, examine


def test_doctor_names_the_versions_that_are_installed_and_the_line_for_what_is_missing() -> None:
    facts = examine()
    text = "\n".join(describe(facts))

    assert f"torch {version('torch')}" in text
    assert facts["devices"][0]["kind"] == "cpu"
    for name, reader in facts["readers"].items():
        assert (f"pip install {name}" in text) == (reader["version"] is None)
