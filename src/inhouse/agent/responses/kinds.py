"""The kinds of items: how their ids begin, and which of a client's fields belong to them.

What a client replays often has more fields than the API knows (`parsed`, `async_`), and nulls.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Fields = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of item. `fields` are those besides `id` and `type`; a null is kept in `nullable`
    ones, which must be there. `status`: every item of this type has one.
    """

    prefix: str
    fields: Fields
    status: bool = True
    nullable: Fields = ()


def _kind(prefix: str, *fields: str, status: bool = True, nullable: Fields = ()) -> Kind:
    return Kind(prefix, (*fields, *nullable), status=status, nullable=nullable)


KINDS: Mapping[str, Kind] = {
    "message": _kind("msg_", "role", "content", "phase"),
    "reasoning": _kind("rs_", "summary", "content", "encrypted_content", status=False),
    "function_call": _kind("fc_", "call_id", "name", "namespace", "arguments", "async", "caller"),
    "function_call_output": _kind("fco_", "call_id", "output", "name", "namespace", "caller"),
    "custom_tool_call": _kind("ctc_", "call_id", "name", "namespace", "input", "async", "caller"),
    "custom_tool_call_output": _kind("ctco_", "call_id", "output", "caller"),
    "compaction": _kind("cmp_", "encrypted_content", status=False),
    "additional_tools": _kind("at_", "role", "tools", status=False),
    "configuration_update": _kind("cfg_", "reasoning", "text", status=False),
    "tool_search_call": _kind("tsc_", "execution", nullable=("arguments", "call_id")),
    "tool_search_output": _kind("tso_", "execution", "tools", nullable=("call_id",)),
    "local_shell_call": _kind("lsh_", "call_id", "action"),
    "local_shell_call_output": _kind("", "output"),  # its id is the call's
    "shell_call": _kind("sh_", "call_id", "action", "caller", nullable=("environment",)),
    "shell_call_output": _kind(
        "sho_", "call_id", "output", "caller", nullable=("max_output_length",)
    ),
    "apply_patch_call": _kind("apc_", "call_id", "operation", "caller"),
    "apply_patch_call_output": _kind("apco_", "call_id", "output", "caller"),
    "computer_call": _kind("cu_", "call_id", "action", "actions", "pending_safety_checks"),
    "computer_call_output": _kind("cuo_", "call_id", "output", "acknowledged_safety_checks"),
    # what hosted tools did; accepted where it is told again
    "file_search_call": _kind("fs_", "queries", "results"),
    "web_search_call": _kind("ws_", "action"),
    "code_interpreter_call": _kind("ci_", "container_id", nullable=("code", "outputs")),
    "image_generation_call": _kind(
        "ig_",
        "action",
        "background",
        "error",
        "output_format",
        "quality",
        "revised_prompt",
        "size",
        nullable=("result",),
    ),
    "mcp_call": _kind(
        "mcp_", "server_label", "name", "arguments", "approval_request_id", "error", "output"
    ),
    "mcp_list_tools": _kind("mcpl_", "server_label", "tools", "error", status=False),
    "mcp_approval_request": _kind("mcpr_", "server_label", "name", "arguments", status=False),
}
"""Types that a response may read. The others of the API need something that is not here yet."""
