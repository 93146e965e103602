"""Images that a client refers to, as the data that an engine may see."""

import base64
import binascii
import re

from inhouse.errors import BadRequest

_DATA = re.compile(r"data:image/(png|jpeg|jpg|gif|webp)(;[^,;]*)*;base64,", re.IGNORECASE)
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"RIFF")


async def as_data(url: str, param: str) -> str:
    """The image as a `data:` URL. BadRequest if it is none."""
    if url[:5].lower() == "data:":
        return checked(url, param)
    raise BadRequest("Images can only be given as base64 data URLs.", param=param)


def checked(url: str, param: str) -> str:
    """A `data:` URL that holds base64 of a PNG, JPEG, GIF or WebP image; else BadRequest."""
    head = _DATA.match(url)
    if head is None:
        raise BadRequest(
            "Invalid image: expected a data URL of a png, jpeg, gif or webp image in base64.",
            param=param,
            code="invalid_image_format",
        )
    try:
        data = base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("Invalid base64 image_url.", param=param, code="invalid_base64") from None
    if not data.startswith(_SIGNATURES):
        raise BadRequest(
            "You uploaded an unsupported image. Please make sure your image has of one the "
            "following formats: ['png', 'jpeg', 'gif', 'webp'].",
            param=param,
            code="invalid_image_format",
        )
    return url
