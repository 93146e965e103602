"""The parts of messages and of tools' outputs, as they are stored and listed."""

from collections.abc import Sequence

from inhouse.agent.responses.files import file_text
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

_ANNOTATED = ("annotations", "logprobs")


def message_content(role: str, content: str | Sequence[Json], place: str) -> list[Json]:
    """A message's content as parts: what an assistant said, or what others gave it."""
    said = role == "assistant"
    if isinstance(content, str):
        return [_said_text(content) if said else _given_text(content)]
    parts = enumerate(content)
    if said:
        return [_said(part, f"{place}[{index}]") for index, part in parts]
    return [_given(part, f"{place}[{index}]") for index, part in parts]


def output_content(output: str | Sequence[Json], place: str) -> str | list[Json]:
    """A tool's output: a text, or parts."""
    if isinstance(output, str):
        return output
    return [_given(part, f"{place}[{index}]") for index, part in enumerate(output)]


def _said_text(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _given_text(text: str) -> Json:
    return {"type": "input_text", "text": text}


def _said(part: Json, place: str) -> Json:
    match part["type"]:
        case "output_text":
            kept = {name: part.get(name) or [] for name in _ANNOTATED}
            return {"type": "output_text", "text": part["text"], **kept}
        case "input_text":
            return _said_text(part["text"])
        case "refusal":
            return {"type": "refusal", "refusal": part["refusal"]}
        case kind:
            raise BadRequest(
                f"Invalid value: '{kind}'. Supported values are: 'output_text' and 'refusal'.",
                param=f"{place}.type",
                code="invalid_value",
            )


def _given(part: Json, place: str) -> Json:
    match part["type"]:
        case "input_text" | "output_text":
            return _given_text(part["text"])
        case "refusal":
            return _given_text(part["refusal"])
        case "input_image":
            return _image(part, place)
        case _:
            return _file(part, place)


def _image(part: Json, place: str) -> Json:
    _refuse_file_id(part, place)
    if part.get("image_url") is None:
        raise BadRequest(
            f"Missing required parameter: '{place}.image_url'.",
            param=f"{place}.image_url",
            code="missing_required_parameter",
        )
    return {
        "type": "input_image",
        "image_url": part["image_url"],
        "detail": part.get("detail") or "auto",
    }


def _file(part: Json, place: str) -> Json:
    _refuse_file_id(part, place)
    if part.get("file_url") is not None:
        raise BadRequest(
            "Files by URL are not supported by this server yet.",
            param=f"{place}.file_url",
            code="unsupported_value",
        )
    if part.get("file_data") is None:
        raise BadRequest(
            f"Missing required parameter: '{place}.file_data'.",
            param=f"{place}.file_data",
            code="missing_required_parameter",
        )
    kept = {name: part[name] for name in ("filename", "file_data") if part.get(name) is not None}
    file_text(kept, f"{place}.file_data")
    return {"type": "input_file", **kept}


def _refuse_file_id(part: Json, place: str) -> None:
    if part.get("file_id") is not None:
        raise BadRequest(
            "Files are not supported by this server yet; give the content itself.",
            param=f"{place}.file_id",
            code="unsupported_value",
        )
