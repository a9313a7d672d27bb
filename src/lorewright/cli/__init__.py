"""The command line: one small file a verb, imported only when that verb is used."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import signal
import stat
import sys
from types import FrameType

from lorewright import __version__
from lorewright.errors import LorewrightError, RecipeError

# What a disk or a folder's owner refuses is no bug of ours.
NOT_OURS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EMFILE)
# verb -> (module of this package, what it does)
VERBS: dict[str, tuple[str, str]] = {
    "validate": ("validate", "check recipes; every problem in one line with file and line"),
    "plan": ("plan", "show the steps a recipe means; with --gpu whether training fits that card and how long it takes"),
    "run": ("run", "carry out a recipe; what is unchanged is skipped"),
    "status": ("status", "what has been made, what runs, how the last run went"),
    "diff": ("diff", "what changed between two runs: recipe, data, versions, hardware, results, speed"),
    "reproduce": ("reproduce", "make a run again from the same inputs, in a place of its own, and compare"),
    "extract": ("extract", "one stage: the text of manuscripts of any kind"),
    "prepare": ("prepare", "one stage: manuscripts to a training set"),
    "train": ("stage", "one stage: train the adapter with Axolotl"),
    "merge": ("stage", "one stage: merge the adapter into the base model"),
    "parity": ("parity", "whether what is merged, and served where vLLM runs, is what was trained"),
    "export": ("export", "the merged model as GGUF for llama.cpp and Ollama, quantised, with Modelfile and model card"),
    "convert": ("convert", "a model in MXFP4, bf16 or fp16 to bitsandbytes NF4, without holding it in memory"),
    "ingest": ("ingest", "one stage: index the lore; only what has changed is embedded again"),
    "serve": ("serve", "start vLLM on the recipe's model and leave it running"),
    "rag": ("serve", "start the RAG proxy (and vLLM, if it does not run) and leave it running"),
    "restart": ("serve", "stop a recipe's services and start them again"),
    "adapter": ("adapter", "the voices of a running vLLM: list them, load one, unload one"),
    "stop": ("stop", "stop services that were left running"),
    "monitor": ("monitor", "watch vLLM or the RAG proxy"),
    "query": ("query", "ask one question through the RAG proxy"),
    "bench": ("bench", "measure what a recipe has made: whether its lore answers your questions"),
    "augment": ("augment", "send each prompt of a file to a chat API and keep the answers; goes on where it was broken off"),
    "infer": ("infer", "answer the prompts of a file with the base model and the trained adapter, without a server"),
    "doctor": (
        "doctor",
        "what this machine has, what is missing, and the command that mends it; with a recipe, whether its training can begin",
    ),
    "envs": ("envs", "the private Python environments: list, build, path"),
}


class _Help(argparse.RawDescriptionHelpFormatter):
    """Keeps each verb and its words on one line: argparse counts a verb's indent two columns too short."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = 4 + max(map(len, VERBS))


def parser() -> argparse.ArgumentParser:
    """The top-level parser: verbs with their one line each."""
    top = argparse.ArgumentParser(
        prog="lorewright",
        description="Turns a manuscript into a voice you can talk to: one YAML recipe, from text to a served model that knows its world.",
        epilog="./lorewright VERB --help says more about one. Start with ./quickstart.sh",
        formatter_class=_Help,
    )
    top.add_argument("--version", action="version", version=f"lorewright {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, (_, text) in VERBS.items():
        verbs.add_parser(verb, help=text, add_help=False)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb. Exit codes: 0 done, 1 a mistake or a failure that is explained, 2 wrong usage, 130 interrupted."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words:
        parser().print_help()
        return 2
    chosen = parser().parse_args(words[:1])
    module = importlib.import_module(f"lorewright.cli.{VERBS[chosen.verb][0]}")
    verb = argparse.ArgumentParser(prog=f"lorewright {chosen.verb}", description=_sentence(VERBS[chosen.verb][1]))
    module.configure(verb)
    given = verb.parse_args(words[1:])
    given.verb = chosen.verb
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means to go on
            signal.signal(number, _interrupt)
    try:
        _read_dotenv()
        code: int = module.main(given)
        return code
    except RecipeError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
    except LorewrightError as error:
        print(*(f"    {line}" for line in error.tail), str(error), sep="\n", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; finished stages are kept, run the same command to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno not in NOT_OURS:
            raise
        print(f"{error.filename or 'the system'}: {error.strerror}; finished stages are kept, mend it and run again", file=sys.stderr)
    return 1


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _interrupt(number: int, frame: FrameType | None) -> None:
    """As Ctrl-C: where an event loop runs, its own handler cancels what is under way instead of raising in the middle of it."""
    if number == signal.SIGHUP:
        _speak_to_nobody()
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # Ctrl-C is ignored: in a shell's background
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)


def _speak_to_nobody() -> None:
    """A terminal that was closed refuses every word, which must not stop what is still to be saved."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for handle in (1, 2):
        if stat.S_ISCHR(os.fstat(handle).st_mode):
            os.dup2(nowhere, handle)
    os.close(nowhere)


def _read_dotenv() -> None:
    """Tokens may stand in .env, here or in the checkout; what is already set wins."""
    from lorewright.envs import CHECKOUT

    for folder in (os.getcwd(), str(CHECKOUT)):
        file = os.path.join(folder, ".env")
        if os.path.isfile(file):
            from dotenv import load_dotenv

            load_dotenv(file, override=False)
