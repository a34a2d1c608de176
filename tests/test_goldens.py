import pytest

from tests.goldens import Golden


def test_a_golden_file_that_is_missing_fails(tmp_path):
    with pytest.raises(AssertionError, match=r"report\.md is missing"):
        Golden(update=False, folder=tmp_path).check("report.md", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_golden_file_is_written_on_request_and_then_compared_byte_by_byte(tmp_path):
    for content in ("line\r\nümlaut\n", b"\xff\x00"):
        Golden(update=True, folder=tmp_path).check("sub/file", content)
        Golden(update=False, folder=tmp_path).check("sub/file", content)
    with pytest.raises(AssertionError, match="differs"):
        Golden(update=False, folder=tmp_path).check("sub/file", b"\xff\x01")
