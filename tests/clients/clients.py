"""The clients that must work unmodified, each with the packages of its environment."""

from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True, slots=True)
class Client:
    """One client: what is installed for it, and the program that uses it.

    `program` is a file of `programs/`; its ending says whether Node or Python runs it. `real` asks
    for a second run against the embedded model.
    """

    name: str
    program: str
    packages: tuple[str, ...]
    node: bool = False
    real: bool = False
    environ: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def path(self) -> Path:
        return PROGRAMS / self.program


CLIENTS = (
    Client("openai-python", "openai_python.py", ("openai[realtime]==3.54.0",), real=True),
    Client("openai-node", "openai_node.mjs", ("openai@7.57.0", "ws@8"), node=True),
    Client("openai-agents", "openai_agents.py", ("openai-agents==0.24.0",)),
    Client("codex", "codex.py", ("@openai/codex@0.169.0",), node=True, real=True),
    Client(
        "vercel-ai", "vercel_ai.mjs", ("ai@7.0.173", "@ai-sdk/openai@4.0.118", "zod@4"), node=True
    ),
    Client("langchain", "langchain_openai_.py", ("langchain-openai==1.7.4",)),
    Client("llama-index", "llama_index_.py", ("llama-index-llms-openai==0.8.3",)),
    Client("pydantic-ai", "pydantic_ai_.py", ("pydantic-ai-slim[openai]==2.68.0",)),
    Client("instructor", "instructor_.py", ("instructor==1.17.0",)),
    Client(
        "litellm",
        "litellm_.py",
        ("litellm==1.110.2",),
        environ={"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    ),
)
