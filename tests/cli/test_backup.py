"""inhouse backup and restore."""

import json

from inhouse.cli import main


def test_keys_survive_a_backup_and_its_restore(tmp_path, capsys):
    here, there, file = tmp_path / "here", tmp_path / "there", tmp_path / "kept.tar.gz"
    main(["keys", "create", "--name", "laptop", "--data", str(here)])
    assert main(["backup", str(file), "--data", str(here)]) == 0
    assert main(["restore", str(file), "--data", str(there)]) == 0
    capsys.readouterr()
    main(["keys", "list", "--json", "--data", str(there)])
    assert [key["name"] for key in json.loads(capsys.readouterr().out)] == ["laptop"]


def test_a_backup_of_nothing_fails_in_one_line(tmp_path, capsys):
    assert main(["backup", str(tmp_path / "b"), "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"inhouse: There is no inhouse data in {tmp_path}.\n"


def test_a_restore_never_overwrites(tmp_path, capsys):
    data, file = tmp_path / "data", tmp_path / "kept.tar.gz"
    main(["keys", "create", "--data", str(data)])
    main(["backup", str(file), "--data", str(data)])
    assert main(["restore", str(file), "--data", str(data)]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_a_file_that_is_no_backup_is_refused(tmp_path, capsys):
    file = tmp_path / "notes.txt"
    file.write_text("hello")
    assert main(["restore", str(file), "--data", str(tmp_path / "data")]) == 1
    assert "is not a whole backup" in capsys.readouterr().err
