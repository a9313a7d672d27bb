"""Asynchronous clients for OpenAI-compatible servers: `ask` and `stream` for one question, `Client` for thousands."""

from lorewright.chat.many import Client, GaveUpError, RefusedError, is_here
from lorewright.chat.once import Answer, ask, said, stream
from lorewright.chat.patience import Pace, Patience

__all__ = ["Answer", "Client", "GaveUpError", "Pace", "Patience", "RefusedError", "ask", "is_here", "said", "stream"]
