"""Codex CLI: whole turns without a terminal. The model calls its shell, then ends."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

REAL = os.environ["CLIENT_MODEL"] == "embedded"
ASK = 'Use exec_command {"cmd": "echo from-inhouse"}'
ASK_NEWER = """Use functions__exec
const done = await tools.exec_command({cmd: "echo from-inhouse"});
text(done.output);"""
SEARCH = 'Use tool_search {"query": "weather"}'
PATCH = """Use apply_patch *** Begin Patch
*** Add File: hello.txt
+hello
*** End Patch"""
SPAWN = 'Use multi_agent_v1__spawn_agent {"message": "hi"}'
FREE = ("--dangerously-bypass-approvals-and-sandbox",)
"""It may run commands: this machine may have no sandbox that Codex knows."""
CONFIG = """
model_provider = "inhouse"
check_for_update_on_startup = false

[model_providers.inhouse]
name = "inhouse"
base_url = "{url}"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
supports_websockets = {websockets}
request_max_retries = 0
stream_max_retries = 0

[analytics]
enabled = false
"""


def turn(prompt: str, model: str, *options: str, websockets: bool = False) -> list[Any]:
    """What Codex reports of one turn, as JSON events."""
    home = Path("codex-home").resolve()
    home.mkdir(exist_ok=True)
    url = os.environ["OPENAI_BASE_URL"]
    config = CONFIG.format(url=url, websockets=str(websockets).lower())
    (home / "config.toml").write_text(config, "utf-8")
    codex = Path(os.environ["CLIENT_TOOLS"]) / "codex"
    done = subprocess.run(  # what it exits with is told by its events too
        [
            *(codex, "exec", "--json", "--skip-git-repo-check", "--model", model, *options),
            prompt,
        ],
        env=os.environ | {"CODEX_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    kinds = [event["type"] for event in events]
    print(f"{model}, {websockets=}: exit {done.returncode}, {kinds}")
    for event in events:
        if "error" in event["type"] or event["type"] == "turn.failed":
            print(json.dumps(event)[:600])
    return events


def completed(events: list[Any], kind: str) -> list[Any]:
    """The completed items of a kind."""
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    return [item for item in items if item["type"] == kind]


def check(events: list[Any]) -> None:
    (command,) = completed(events, "command_execution")
    assert command["exit_code"] == 0, command
    assert "from-inhouse" in command["aggregated_output"], command
    messages = [item["text"] for item in completed(events, "agent_message")]
    assert "The tool said:" in messages[-1], messages
    assert "from-inhouse" in messages[-1], messages
    assert events[-1]["type"] == "turn.completed", events[-1]
    print("ran", command["command"], "and ended")


def main() -> None:
    if REAL:
        Path("short.md").write_text("You are a coding agent. Answer in one sentence.", "utf-8")
        short = ("-c", "model_instructions_file=short.md")
        last = turn("Say hello.", "gpt-5.2", *short)[-1]
        cut = "reason: max_output_tokens"  # a model this small may go on to the context's end
        assert last["type"] == "turn.completed" or cut in last["error"]["message"], last
        last = turn("Say hello.", "gpt-5.2")[-1]
        assert "context window" in last["error"]["message"], last
        return
    last = turn("Say hello.", "gpt-5.2")[-1]  # as it comes, in its sandbox
    assert last["type"] == "turn.completed", last
    check(turn(ASK, "gpt-5.2", *FREE))
    check(turn(ASK, "gpt-5.2", *FREE, websockets=True))
    check(turn(ASK, "gpt-5.5", *FREE))
    check(turn(ASK_NEWER, "gpt-6-astra", *FREE))
    for tool in (SEARCH, PATCH):
        events = turn(tool, "gpt-5.5", *FREE)
        assert events[-1]["type"] == "turn.completed", events
    assert Path("hello.txt").read_text("utf-8") == "hello\n"
    events = turn(SPAWN, "gpt-5.2", *FREE)
    (spawned,) = completed(events, "collab_tool_call")
    assert spawned["status"] == "completed", spawned
    print("searched for tools, patched a file, spawned an agent")


main()
